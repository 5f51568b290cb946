// What scenarios do to instances, the same for every contender.

import { request } from "node:http";
import type { Contender, Instance, Lost } from "./scenario.ts";

export async function instanceOf(contender: Contender, index: number): Promise<Instance> {
  const instance = (await contender.instances())[index];
  if (instance === undefined || instance.pid === 0) {
    throw new Error(`${contender.name}: instance ${index} does not run`);
  }
  return instance;
}

export async function signal(
  contender: Contender,
  index: number,
  name: NodeJS.Signals,
): Promise<Lost> {
  const { pid } = await instanceOf(contender, index);
  const atMs = Date.now();
  process.kill(pid, name);
  return { pid, atMs };
}

/** Signals a process that may have ended meanwhile. */
export function signalIfThere(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It has ended; there is nothing to signal.
  }
}

/** Changes an instance's behaviour, past the contender; returns when it has changed. */
export function behave(
  instance: Instance,
  wanted: Readonly<Record<string, number>>,
): Promise<void> {
  const words = Object.entries(wanted).map(([key, value]) => `${key}=${value}`);
  const path = `/behave?${words.join("&")}`;
  const options = { host: "127.0.0.1", port: instance.port, path, agent: false, timeout: 5_000 };
  return new Promise((resolve, reject) => {
    const asked = request(options, (answer) => {
      answer.resume();
      answer.on("end", () => resolve());
    });
    asked.on("timeout", () => asked.destroy(new Error(`instance ${instance.index} is silent`)));
    asked.on("error", reject);
    asked.end();
  });
}
