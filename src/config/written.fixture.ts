// Files that are right, as fast-check makes them up: written by people who use every key.

import fc from "fast-check";
import type { NinesConfig } from "./define-config.ts";
import type { GatewayInput } from "./gateway-schema.ts";
import type { ServiceInput } from "./service-schema.ts";
import { printDuration, printPercent, printSize } from "./units.ts";

type Sometimes<Value> = fc.Arbitrary<Value | undefined>;

function sometimes<Value>(value: fc.Arbitrary<Value>): Sometimes<Value> {
  return fc.option(value, { nil: undefined });
}

function duration(minMs: number, maxMs: number) {
  return fc.integer({ min: minMs, max: maxMs }).map(printDuration);
}

const count = (min: number, max: number): fc.Arbitrary<number> => fc.integer({ min, max });
const percent = count(0, 1000).map((tenths) => printPercent(tenths / 1000));
const size = (min: number, max: number) => count(min, max).map(printSize);
const word = fc.stringMatching(/^[a-z]{1,8}$/);
const path = fc.array(word, { maxLength: 3 }).map((segments) => `/${segments.join("/")}`);

const replicas = fc.oneof(
  count(1, 9),
  fc.tuple(count(1, 9), count(0, 9)).map(([min, more]) => ({ min, max: min + more })),
);

const health = fc.record(
  {
    http: path,
    expectStatus: fc.constantFrom<string | number>(200, "2xx", "200-299"),
    interval: duration(1000, 60_000),
    timeout: duration(1, 1000),
    fall: count(1, 100),
    rise: count(1, 100),
    fastInterval: duration(10, 1000),
  },
  { requiredKeys: [] },
);

const failover = fc.record(
  {
    mode: fc.constant("active-active"),
    failback: fc.constantFrom("automatic", "manual"),
    minimumHealthy: duration(0, 60_000),
    drain: duration(0, 4_000),
    fence: duration(0, 60_000),
    unfenced: fc.constantFrom("wait", "promote"),
  },
  { requiredKeys: [] },
);

const detection = fc.record(
  {
    stall: fc.boolean(),
    consecutiveErrors: count(0, 100),
    successRate: fc.boolean(),
    failures: fc.constantFrom("1%", "85%", "100%"),
    ejection: duration(10, 1000),
    ejectionMax: duration(1000, 60_000),
    maxEjected: percent,
    panic: percent,
  },
  { requiredKeys: [] },
);

const commandService: fc.Arbitrary<ServiceInput> = fc.record(
  {
    command: fc.oneof(word, fc.array(word, { minLength: 1, maxLength: 3 })),
    replicas,
    health,
    detection,
    slowStart: fc.oneof(
      duration(0, 60_000),
      fc.record(
        {
          time: duration(0, 60_000),
          minimum: count(10, 1000).map((tenths) => printPercent(tenths / 1000)),
          aggression: fc.constantFrom(0.5, 1, 1.5),
        },
        { requiredKeys: ["time"] },
      ),
    ),
    failover,
    env: fc.dictionary(fc.stringMatching(/^[A-Z][A-Z0-9]{0,5}_$/), fc.string({ maxLength: 9 }), {
      maxKeys: 3,
      noNullPrototype: true,
    }),
    limits: fc.record({ memory: size(4 << 20, 1 << 30), openFiles: count(16, 4096) }),
    restart: fc.record({ backoff: duration(10, 1000), backoffMax: duration(1000, 60_000) }),
    startTimeout: duration(100, 60_000),
    stopGrace: duration(0, 60_000),
    logs: fc.record({ rotateAt: size(65_536, 1 << 30), keep: count(0, 100) }),
    port: count(0, 60_000),
    loadReports: fc.boolean(),
    subset: count(0, 100),
    maxConnections: count(0, 1000),
    queueLength: count(0, 1000),
  },
  { requiredKeys: ["command"] },
);

const endpointService: fc.Arbitrary<ServiceInput> = fc.record(
  {
    endpoints: fc
      .uniqueArray(fc.integer({ min: 1, max: 65_535 }), { minLength: 1, maxLength: 3 })
      .map((ports) => ports.map((port) => `10.0.0.7:${port}`)),
    health,
    detection,
    failover,
  },
  { requiredKeys: ["endpoints"] },
);

const gateway = (service: string): fc.Arbitrary<GatewayInput> =>
  fc.record(
    {
      listen: fc.constant([{ address: ":8080" }]),
      routes: fc
        .uniqueArray(path, { minLength: 1, maxLength: 4 })
        .map((paths) => paths.map((one) => ({ match: { path: one }, service, sticky: "cookie" }))),
      workers: count(1, 32),
      retry: fc.record({ attempts: count(0, 10), budget: percent, replay: size(0, 1 << 20) }),
      hedge: fc.oneof(
        fc.constant("off" as const),
        fc.record({ budget: percent, perSecond: count(0, 1000) }),
      ),
      timeouts: fc.record({ connect: duration(1, 60_000), tunnel: duration(1000, 86_400_000) }),
      drain: duration(0, 60_000),
    },
    { requiredKeys: ["listen", "routes"] },
  );

export const fileInput: fc.Arbitrary<NinesConfig> = fc
  .tuple(
    fc.dictionary(word, fc.oneof(commandService, endpointService), {
      minKeys: 1,
      maxKeys: 3,
      noNullPrototype: true,
    }),
    sometimes(fc.constant(true)),
  )
  .chain(([services, withGateway]) => {
    const [first = ""] = Object.keys(services);
    if (withGateway === undefined) return fc.constant({ services });
    return gateway(first).map((one) => ({ services, gateway: one }));
  });
