// At most three changes of an instance in any minute reach the traffic: a return is refused while
// two changes lie within the last minute. Watched twice: in the tables that one control publishes,
// and in what each worker makes of its table and of its own ejections.
//
// What a person asked for (draining) is no flapping. Excused when less than half of the service
// would take traffic without it, before or now. A new control begins anew, and so does a new
// worker. The machine's clock may run 5 % fast.

import type { TableService } from "../../src/core/route/table.ts";
import type { Worker } from "../world/worker.ts";
import { serviceOf, type World } from "../world/world.ts";
import type { Checker } from "./checker.ts";

const WINDOW_MS = 0.94 * 60_000;

interface Known {
  takes: boolean;
  /** It went on a person's word, or has just started: its coming is no return. */
  asked: boolean;
  changesMs: readonly number[];
}

/** How one of them sees the instances come and go. */
interface View {
  readonly instances: Map<string, Known>;
  /** Of each service: how many took traffic. */
  readonly takers: Map<string, number>;
}

export function flapBound(world: World): Checker {
  const name = "flap-bound";
  const ofWorkers = new WeakMap<Worker, View>();
  /** Workers that have ejected or readmitted somebody since they were looked at. */
  const changed = new WeakSet<Worker>();
  let ofControl = newView();
  let incarnation = 0;

  /** `takers`: the ids of those that take traffic now. */
  function look(view: View, service: TableService, takers: ReadonlySet<string>, who: string): void {
    const { name: serviceName, mode, instances } = service;
    if (mode === "primary-standby") return;
    const config = world.service(serviceName);
    const wanted = config?.kind === "command" ? world.operator.replicas(config) : 0;
    const half = Math.ceil(Math.max(wanted, instances.length) / 2);
    const before = view.takers.get(serviceName) ?? 0;
    view.takers.set(serviceName, takers.size);
    for (const { id, host, port, verdict } of instances) {
      const key = `${id} ${host} ${port}`;
      const takes = takers.has(id);
      const its = view.instances.get(key) ?? { takes, asked: !takes, changesMs: [] };
      view.instances.set(key, its);
      if (takes === its.takes) continue;
      its.takes = takes;
      const asked = takes ? its.asked : verdict === "draining";
      its.asked = asked && !takes;
      if (asked) continue;
      world.checks++;
      const { nowMs } = world.loop;
      const recent = its.changesMs.filter((atMs) => nowMs - atMs < WINDOW_MS);
      its.changesMs = [...recent, nowMs];
      const spared = takers.size - 1 >= half && before >= half;
      if (!takes || recent.length < 2 || !spared) continue;
      world.violated(name, `${id} returns ${who}, the ${recent.length + 1}. change in a minute`);
    }
    forgetGone(view, service);
  }

  function lookAt(worker: Worker): void {
    const view = ofWorkers.get(worker) ?? newView();
    ofWorkers.set(worker, view);
    changed.delete(worker);
    for (const service of worker.table?.services ?? []) {
      look(view, service, worker.takers(service), `in worker-${worker.number}`);
    }
  }

  return {
    name,
    promise: "at most three changes a minute of an instance reach the traffic",
    published({ services }) {
      if (incarnation !== world.incarnations) ofControl = newView();
      incarnation = world.incarnations;
      for (const service of services) {
        const up = service.instances.filter(({ verdict }) => verdict === "up");
        look(ofControl, service, new Set(up.map(({ id }) => id)), "by control's word");
      }
    },
    followed: lookAt,
    noticed(worker, { kind }) {
      if (kind === "ejected" || kind === "readmitted") changed.add(worker);
    },
    attempted({ worker }) {
      if (changed.has(worker)) lookAt(worker);
    },
  };
}

function newView(): View {
  return { instances: new Map(), takers: new Map() };
}

/** Who leaves the table is another one when he comes back. */
function forgetGone(view: View, { name, instances }: TableService): void {
  const listed = new Set(instances.map(({ id, host, port }) => `${id} ${host} ${port}`));
  for (const key of view.instances.keys()) {
    const isOwn = serviceOf(key.slice(0, key.indexOf(" "))) === name;
    if (isOwn && !listed.has(key)) view.instances.delete(key);
  }
}
