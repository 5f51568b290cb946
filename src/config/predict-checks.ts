// What `predict` says of services and machines: that there are such, and that it can be so.

import { predict } from "./predict-schema.ts";
import { nearest, type Path } from "./problems.ts";
import type { WrittenService } from "./service-schema.ts";

export interface PredictFinding {
  readonly path: Path;
  readonly what: string;
  readonly remedy: string;
}

interface Service {
  readonly path: Path;
  readonly value: WrittenService;
}

/** `written` is what stands under `predict`; what cannot be read is refused elsewhere. */
export function checkPredict(
  written: unknown,
  services: readonly Service[],
): readonly PredictFinding[] {
  const read = predict.optional().safeParse(written);
  if (!read.success || read.data === undefined) return [];
  const { machines, services: said, rates, gateway = [] } = read.data;
  const known = machines === undefined ? undefined : Object.keys(machines);
  return [
    ...checkStarts(["predict", "rates"], rates.startFails),
    ...gateway.flatMap((machine, at) => checkMachine(["predict", "gateway", at], machine, known)),
    ...Object.entries(said).flatMap(([name, one]) => {
      const path = ["predict", "services", name];
      const service = services.find((other) => other.path.at(-1) === name)?.value;
      return [
        ...checkStarts([...path, "rates"], one.rates.startFails),
        ...(service === undefined ? [] : checkNeeded([...path, "needed"], one.needed, service)),
        ...(one.machines ?? []).flatMap((machine, at) =>
          checkMachine([...path, "machines", at], machine, known),
        ),
      ];
    }),
  ];
}

function checkStarts(path: Path, startFails: number | undefined): readonly PredictFinding[] {
  if (startFails !== 1) return [];
  const what = "is 100%: no instance would ever come back";
  return [{ path: [...path, "startFails"], what, remedy: "Write a share below 100%." }];
}

/** The most that can be in traffic at once. */
function placesOf({ replicas, endpoints, failover }: WrittenService): number {
  if (failover.mode === "primary-standby") return 1;
  const backups = Object.keys(failover.backups).length;
  if (endpoints === undefined) {
    return (typeof replicas === "number" ? replicas : replicas.min) - backups;
  }
  return endpoints.filter(({ backup }) => !backup).length - backups;
}

function checkNeeded(
  path: Path,
  needed: number | undefined,
  service: WrittenService,
): readonly PredictFinding[] {
  const places = placesOf(service);
  if (needed === undefined || needed <= places) return [];
  const what = `is ${needed}, and at most ${places} of its instances take traffic at once`;
  return [{ path, what, remedy: `Write ${places} or less, or give the service more instances.` }];
}

function checkMachine(
  path: Path,
  machine: string,
  known: readonly string[] | undefined,
): readonly PredictFinding[] {
  if (known === undefined || known.includes(machine)) return [];
  const meant = nearest(machine, known);
  const remedy = meant === undefined ? "Add it to `predict.machines`." : `Did you mean "${meant}"?`;
  return [{ path, what: `names "${machine}", which is none of \`predict.machines\``, remedy }];
}
