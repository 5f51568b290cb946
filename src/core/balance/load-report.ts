// What an instance says of its own load, in a field of its answers: ORCA's `endpoint-load-metrics`
// (xds.data.orca.v3.OrcaLoadReport), which gRPC's and Envoy's backends send as well:
//
//   endpoint-load-metrics: TEXT application_utilization=0.6,cpu_utilization=0.4,rps_fractional=120
//   endpoint-load-metrics: JSON {"cpu_utilization": 0.4, "eps": 2}
//
// The application's own word stands above its processor's. Whatever is not a number in range is as
// if it had not been said: a report is an opinion, and must not be able to break anything.

export interface LoadReport {
  /** Above 0; 1 is all that it can do, and it may be above it. */
  readonly utilization: number;
  /** Of all its clients; 0: it does not say. */
  readonly requestsPerSecond: number;
  readonly errorsPerSecond: number;
}

/** A longer one is passed over. */
const CHARACTERS_MAX = 1024;
const UTILIZATION_MAX = 1000;
const RATE_MAX = 1e9;

/** The field's value, or undefined when it says nothing of its load. */
export function readLoadReport(text: string): LoadReport | undefined {
  if (text.length > CHARACTERS_MAX) return undefined;
  const said = text.startsWith("JSON ") ? readJson(text.slice(5)) : readText(text);
  const own = inRange(said.get("application_utilization"), UTILIZATION_MAX);
  const utilization = own > 0 ? own : inRange(said.get("cpu_utilization"), UTILIZATION_MAX);
  if (utilization === 0) return undefined;
  const rps = inRange(said.get("rps_fractional"), RATE_MAX);
  const requestsPerSecond = rps > 0 ? rps : inRange(said.get("rps"), RATE_MAX);
  return { utilization, requestsPerSecond, errorsPerSecond: inRange(said.get("eps"), RATE_MAX) };
}

function inRange(value: unknown, most: number): number {
  return typeof value === "number" && value > 0 && value <= most ? value : 0;
}

function readText(text: string): ReadonlyMap<string, unknown> {
  const pairs = text.replace(/^TEXT /, "").split(",");
  return new Map(
    pairs.map((pair) => {
      const [name = "", value = ""] = pair.split("=", 2);
      return [name.trim(), value.trim() === "" ? undefined : Number(value)];
    }),
  );
}

function readJson(text: string): ReadonlyMap<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return new Map(typeof value === "object" && value !== null ? Object.entries(value) : []);
  } catch {
    return new Map();
  }
}
