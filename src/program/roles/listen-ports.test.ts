// Which ports `--next-free-port` settles on, in a world that is a list of taken ones.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Config, GatewayConfig } from "../../config/config.ts";
import { avoidTakenPorts } from "./listen-ports.ts";

describe("--next-free-port", () => {
  it("leaves a free port alone and says nothing", async () => {
    const world = worldWith([]);
    assert.deepEqual(portsOf(await avoidTakenPorts(configOn(8080), world)), [8080]);
    assert.deepEqual(world.said, []);
  });

  it("takes the next free one and says so", async () => {
    const world = worldWith([8080, 8081]);
    assert.deepEqual(portsOf(await avoidTakenPorts(configOn(8080), world)), [8082]);
    assert.deepEqual(world.said, [
      "Port 8080 is taken by another program; the gateway uses 8082 instead.",
    ]);
  });

  it("never gives one port to two listeners", async () => {
    const world = worldWith([8080]);
    assert.deepEqual(portsOf(await avoidTakenPorts(configOn(8081, 8080), world)), [8081, 8082]);
  });

  it("stays where it is while its own gateway listens there", async () => {
    const world = worldWith([8080]);
    await avoidTakenPorts(configOn(8080), world);
    const again = { ...worldWith([8080, 8081]), records: world.records, gatewayLives: true };
    assert.deepEqual(portsOf(await avoidTakenPorts(configOn(8080), again)), [8081]);
    assert.deepEqual(again.said, []);
  });

  it("comes back to the port of the file when nothing of its gateway is left", async () => {
    const world = worldWith([8080]);
    await avoidTakenPorts(configOn(8080), world);
    const later = { ...worldWith([]), records: world.records };
    assert.deepEqual(portsOf(await avoidTakenPorts(configOn(8080), later)), [8080]);
  });

  it("gives up, with a code, when a hundred are taken", async () => {
    const all = Array.from({ length: 200 }, (_, index) => 8000 + index);
    await assert.rejects(avoidTakenPorts(configOn(8000), worldWith(all)), {
      code: "NINES_PORT_NONE_FREE",
    });
  });
});

function worldWith(taken: readonly number[]) {
  const kept = new Map<string, unknown>();
  const said: string[] = [];
  return {
    said,
    gatewayLives: false,
    records: {
      read: (key: string) => kept.get(key),
      write: (key: string, value: unknown) => void kept.set(key, value),
    },
    isFree: async (_host: string, port: number) => !taken.includes(port),
    say: (sentence: string) => void said.push(sentence),
  };
}

function configOn(...ports: readonly number[]): Config {
  const listen = ports.map((port) => ({ host: "127.0.0.1", port, protocol: "http" as const }));
  return { file: "/nines.yaml", services: [], gateway: { listen } as unknown as GatewayConfig };
}

function portsOf(config: Config): readonly number[] {
  return (config.gateway?.listen ?? []).map(({ port }) => port);
}
