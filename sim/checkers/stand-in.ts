// In `hot-standby` a backup takes traffic exactly while the instance that it stands in for does
// not, as each worker sees it: by the table that it follows and by its own ejections.
//
// Never beside it: no attempt goes to a backup while the worker's table calls the other one up and
// the worker has not ejected it. And not left out: of 150 requests that a worker takes while the
// one is out and the backup is up, one at least goes to the backup. Not asked of source-hash, where
// it is the client that decides, nor of a backup that is in trouble itself.

import type { BalanceAlgorithm, TableInstance } from "../../src/core/route/table.ts";
import type { Worker } from "../world/worker.ts";
import type { World } from "../world/world.ts";
import type { Checker } from "./checker.ts";

/** By chance alone, with a tenth of a share, one in five million. */
const REQUESTS_MAX = 150;

/** They lead some clients to one instance, and nobody may come to another for long. */
const hashes = new Set<BalanceAlgorithm>(["source-hash", "rendezvous", "ring", "maglev"]);

export function standIn(world: World): Checker {
  const name = "stand-in";
  /** Requests in a row that passed a backup by whose turn it was, by worker and backup. */
  const passedBy = new WeakMap<Worker, Map<string, number>>();

  function listed(worker: Worker, service: string): readonly TableInstance[] {
    const known = worker.table?.services.find((one) => one.name === service);
    return known?.mode === "hot-standby" ? known.instances : [];
  }

  function takes(worker: Worker, { id, verdict }: TableInstance): boolean {
    return verdict === "up" && !worker.ejected().includes(id);
  }

  function isHashed(worker: Worker, service: string): boolean {
    const routes = worker.table?.routes.filter((route) => route.service === service) ?? [];
    return routes.some(({ balance }) => hashes.has(balance.algorithm));
  }

  function countsOf(worker: Worker): Map<string, number> {
    const counts = passedBy.get(worker) ?? new Map<string, number>();
    passedBy.set(worker, counts);
    return counts;
  }

  return {
    name,
    promise: "a backup takes traffic exactly while the one that it stands in for does not",
    attempted({ worker, service, instance }) {
      countsOf(worker).delete(instance);
      const instances = listed(worker, service);
      const backed = instances.find(({ id }) => id === instance)?.backupOf;
      const other = instances.find(({ id }) => id === backed);
      if (other === undefined) return;
      world.checks++;
      if (!takes(worker, other)) return;
      world.violated(name, `worker-${worker.number} sends to ${instance}, and ${backed} is well`);
    },
    requestEnded(worker, { service }) {
      const instances = listed(worker, service);
      if (instances.length === 0 || isHashed(worker, service)) return;
      const counts = countsOf(worker);
      for (const backup of instances) {
        const other = instances.find(({ id }) => id === backup.backupOf);
        if (other === undefined) continue;
        world.checks++;
        const isItsTurn = !takes(worker, other) && takes(worker, backup);
        const isFree = world.trouble.freeForMs(backup.id) > 0;
        const count = isItsTurn && isFree ? (counts.get(backup.id) ?? 0) + 1 : 0;
        counts.set(backup.id, count);
        if (count <= REQUESTS_MAX) continue;
        const what = `${count} requests passed ${backup.id} by while ${other.id} was out`;
        world.violated(name, `worker-${worker.number}: ${what}`);
      }
    },
  };
}
