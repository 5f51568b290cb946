// Faults for the simulator to find: one line of the code that it runs, made wrong.

import type { Planted } from "./planted.fixture.ts";

export const plantedFaults: readonly Planted[] = [
  {
    name: "readiness is skipped: a started instance gets traffic at once",
    file: "src/control/registry/verdict.js",
    find: 'if (record.phase !== "running" && record.phase !== "external")\n        return false;',
    replace: 'if (record.phase === "starting") return true;',
    breaks: ["readiness", "start-order"],
  },
  {
    name: "an ejection is forgotten",
    file: "src/core/dispatch/create-dispatcher.js",
    find: "this.#ejections.eject(slot, nowMs, false);",
    replace: "this.#ejections.isEjected(slot);",
    breaks: ["ejection"],
  },
  {
    name: "an ejected instance is never readmitted",
    file: "src/core/dispatch/create-dispatcher.js",
    find: "if (!this.#ejections.readmits(slot, beganMs))",
    replace: "if (beganMs > 0)",
    breaks: ["ejection", "traffic", "quiet", "convergence"],
  },
  {
    name: "restarts come without backoff",
    file: "src/core/guard/backoff.js",
    find: "return ceilingMs / 2 + (ceilingMs / 2) * ratio;",
    replace: "return (ceilingMs / 100) * ratio;",
    breaks: ["restart-intensity"],
  },
  {
    name: "a crash loop is not held back",
    file: "src/core/guard/restart-intensity.js",
    find: "return oldest !== undefined && nowMs - oldest <= intensity.withinMs;",
    replace: "return oldest === undefined && nowMs < 0;",
    breaks: ["restart-intensity"],
  },
  {
    name: "a new control adopts nothing",
    file: "src/control/supervisor/supervisor.js",
    find: "const process = processes.adopt(kept.process, id);",
    replace: "const process = undefined;",
    breaks: ["doubling"],
  },
  {
    name: "a process is written down only when it is ready",
    file: "src/control/supervisor/instance.js",
    find: "this.#ports.records.write(this.#key, this.#kept(identity));",
    replace: "void identity;",
    breaks: ["doubling"],
  },
  {
    name: "table versions begin anew with each control",
    file: "src/control/routing/memory.js",
    find: "this.#version = this.#reserved;",
    replace: "this.#version = 0;",
    breaks: ["dead-instance", "readiness", "drained", "traffic", "right-instance", "convergence"],
  },
  {
    name: "services start in any order",
    file: "src/control/supervisor/supervisor.js",
    find: "if (blocker === undefined)",
    replace: "if (blocker !== null)",
    breaks: ["start-order"],
  },
  {
    name: "a drain is forgotten when control dies",
    file: "src/control/supervisor/operator-words.js",
    find: "return this.#words.drained.includes(instance);",
    replace: "return false;",
    breaks: ["drained", "convergence"],
  },
  {
    name: "a control that was stopped judges by checks that nobody made",
    file: "src/control/supervisor/instance.js",
    find: "if (forMs === 0)",
    replace: "if (forMs >= 0)",
    breaks: ["adoption"],
    slow: true,
  },
  {
    name: "a silent instance is left alone for ever",
    file: "src/core/supervise/lifecycle.js",
    find: "return restart.unhealthyAfterMs > 0 ? restart.unhealthyAfterMs : undefined;",
    replace: "return restart.unhealthyAfterMs > 0 ? undefined : undefined;",
    breaks: ["patience"],
  },
  {
    name: "instances are ended without a drain",
    file: "src/control/supervisor/instance.js",
    find: "this.#idlePoll = this.#ports.clock.after(idlePollMs, () => {",
    replace:
      'this.#idlePoll = this.#ports.clock.after(0, () => { return this.tell({ kind: "idle" });',
    breaks: ["planned-end"],
    slow: true,
  },
  {
    name: "nobody is killed who ignores SIGTERM",
    file: "src/control/supervisor/instance.js",
    find: 'if (command === "kill")',
    replace: 'if (command === "never")',
    breaks: ["adoption", "convergence", "stop"],
  },
];
