// What the gateway of the shipped program tells of its traffic: counters that agree with what
// clients saw and never go back, whoever is killed; and a log with a line for each request.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { Agent } from "node:http";
import { dirname, join } from "node:path";
import { it } from "node:test";
import { ask, createNines, kill, type Nines, until } from "./nines.fixture.ts";

const ASKED = 200;
const lines = "nines_access_log_lines_total";
const log = join("traffic", "access.log");

async function askMany(port: number): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 8 });
  const asked = Array.from({ length: ASKED }, () => ask(port, "/?token=s3cret", agent));
  for (const { status } of await Promise.all(asked)) assert.equal(status, 200);
  agent.destroy();
}

/** Sums over all series of a metric. */
async function told(nines: Nines): Promise<(name: string) => number> {
  const text = await nines.admin("/metrics");
  return (name) => {
    const samples = text.matchAll(new RegExp(`^${name}(?:\\{.*\\})? (\\S+)$`, "gm"));
    return Array.from(samples, ([, value]) => Number(value)).reduce((sum, one) => sum + one, 0);
  };
}

/** Until as many requests are told as were made, and as many lines are written. */
async function untilTold(nines: Nines, requests: number) {
  let tell = await told(nines);
  await until(
    async () => {
      tell = await told(nines);
      return tell("nines_requests_total") >= requests && tell(lines) >= requests;
    },
    () => `${tell("nines_requests_total")} requests and ${tell(lines)} lines of ${requests}`,
  );
  assert.deepEqual([tell("nines_requests_total"), tell(lines)], [requests, requests]);
  return tell;
}

/** Until it accepts no more: what it had accepted would be lost. */
async function killWorker(nines: Nines): Promise<void> {
  const [worker] = (await nines.status()).gateway?.workers ?? [];
  kill(worker?.pid);
  const hasEnded = (): boolean => {
    try {
      return readFileSync(`/proc/${worker?.pid}/stat`, "utf8").includes(") Z ");
    } catch {
      return true;
    }
  };
  await until(hasEnded, () => `worker ${worker?.pid} lives on`);
}

it("counts what clients saw, never less than it told before, and logs each request once", async (t) => {
  const nines = await createNines(t);
  nines.write({ replicas: 2 });
  const text = readFileSync(nines.file, "utf8");
  nines.writeText(`${text}  accessLog: { file: ${log}, rotateAt: 64KiB, keep: 100 }\n`);
  const control = await nines.up();
  await askMany(nines.port);
  const tell = await untilTold(nines, ASKED);
  assert.equal(tell("nines_answers_total"), ASKED);
  assert.equal(tell("nines_request_duration_seconds_count"), ASKED);
  assert.equal(tell("nines_instance_answers_total"), ASKED);
  assert.equal(tell("nines_instance_duration_seconds_count"), ASKED);
  assert.equal(tell("nines_request_failures_total"), 0);

  await killWorker(nines);
  await askMany(nines.port);
  await untilTold(nines, 2 * ASKED);

  kill(control.child.pid);
  await control.ended;
  await killWorker(nines);
  await nines.up();
  assert.ok((await told(nines))("nines_requests_total") >= 2 * ASKED, "after all that");
  await askMany(nines.port);
  await untilTold(nines, 3 * ASKED);

  const folder = dirname(join(nines.folder, log));
  const files = readdirSync(folder);
  assert.ok(files.length > 1, "it was rotated");
  const written = files.flatMap((file) =>
    readFileSync(join(folder, file), "utf8").trimEnd().split("\n"),
  );
  assert.equal(written.length, 3 * ASKED);
  for (const line of written) {
    const { path, status, service } = JSON.parse(line) as Record<string, unknown>;
    assert.deepEqual([path, status, service], ["/", 200, "web"]);
  }
});
