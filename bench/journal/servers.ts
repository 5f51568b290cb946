// The servers, where installed: Redis with an append-only file that is flushed before each answer,
// and etcd. Both are reached over loopback, as their users reach them.

import { spawnSync } from "node:child_process";
import { Agent, request } from "node:http";
import { join } from "node:path";
import { accepts, end, freePort, installed, start, waitUntil } from "../shared/system.ts";
import { Latencies, type Measured } from "./measured.ts";

export interface Load {
  readonly writers: number;
  readonly recordBytes: number;
  readonly seconds: number;
}

export interface Server {
  readonly name: "redis" | "etcd";
  measure(load: Load): Promise<Measured | undefined>;
  stop(): Promise<void>;
}

export async function startRedis(folder: string): Promise<Server | undefined> {
  const program = installed("redis-server");
  const client = installed("redis-benchmark");
  if (program === undefined || client === undefined) return undefined;
  const port = await freePort();
  const words = ["--port", `${port}`, "--dir", folder, "--save", "", "--appendonly", "yes"];
  const always = ["--appendfsync", "always", "--auto-aof-rewrite-percentage", "0"];
  const started = start([program, "--bind", "127.0.0.1", ...words, ...always]);
  await waitUntil("redis listens", 5000, () => accepts(port));
  return {
    name: "redis",
    measure: async (load) => runRedis(client, port, load),
    stop: () => end(started),
  };
}

/** Its own load program counts requests, not time: as many as it managed when it was tried here. */
function runRedis(client: string, port: number, load: Load): Measured | undefined {
  const { writers, recordBytes, seconds } = load;
  const requests = Math.ceil((2_000 + 150 * writers) * seconds);
  const words = ["-p", `${port}`, "-c", `${writers}`, "-n", `${requests}`, "-d", `${recordBytes}`];
  const result = spawnSync(client, [...words, "-r", "1000", "-t", "set", "--csv"], {
    encoding: "utf8",
    timeout: 60_000,
  });
  const [, rate, , , p50Ms, , p99Ms] = (result.stdout.trim().split("\n").at(-1) ?? "")
    .split(",")
    .map((cell) => Number(cell.replaceAll('"', "")));
  if (rate === undefined || p50Ms === undefined || p99Ms === undefined) return undefined;
  return { recordsPerSecond: rate, p50Us: p50Ms * 1000, p99Us: p99Ms * 1000 };
}

export async function startEtcd(folder: string): Promise<Server | undefined> {
  const program = installed("etcd");
  if (program === undefined) return undefined;
  const [port, peerPort] = [await freePort(), await freePort()];
  const client = `http://127.0.0.1:${port}`;
  const peer = `http://127.0.0.1:${peerPort}`;
  const urls = ["--listen-client-urls", client, "--advertise-client-urls", client];
  const peers = ["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer];
  const cluster = ["--initial-cluster", `default=${peer}`, "--data-dir", join(folder, "etcd")];
  const started = start([program, ...urls, ...peers, ...cluster]);
  await waitUntil("etcd elects itself", 15_000, () => puts(port));
  return {
    name: "etcd",
    measure: (load) => runEtcd(port, load),
    stop: () => end(started),
  };
}

async function puts(port: number): Promise<boolean> {
  const agent = new Agent();
  const body = JSON.stringify({ key: btoa("ready"), value: "" });
  return put(port, agent, body).then(
    () => true,
    () => false,
  );
}

async function runEtcd(port: number, load: Load): Promise<Measured> {
  const agent = new Agent({ keepAlive: true, maxSockets: load.writers });
  const value = Buffer.alloc(load.recordBytes, "x").toString("base64");
  const latencies = new Latencies();
  const begunMs = performance.now();
  const writer = async (number: number): Promise<void> => {
    const body = JSON.stringify({ key: btoa(`writer-${number}`), value });
    while (performance.now() - begunMs < load.seconds * 1000) {
      const sentMs = performance.now();
      await put(port, agent, body);
      latencies.add(performance.now() - sentMs);
    }
  };
  await Promise.all(Array.from({ length: load.writers }, (_, number) => writer(number)));
  agent.destroy();
  return latencies.measured(latencies.count, performance.now() - begunMs);
}

function put(port: number, agent: Agent, body: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const options = { port, agent, method: "POST", path: "/v3/kv/put", timeout: 10_000 };
    const sent = request({ host: "127.0.0.1", ...options }, (answer) => {
      answer.resume();
      answer.on("end", () =>
        answer.statusCode === 200 ? resolve() : reject(new Error(`etcd: ${answer.statusCode}`)),
      );
    });
    sent.on("error", reject);
    sent.on("timeout", () => sent.destroy(new Error("etcd did not answer within 10 s")));
    sent.end(body);
  });
}
