// An incident as the shipped build tells it, beside what its clients saw: the cause is the one that
// the test made, what was lost is what they lost.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import type { IncidentReport } from "../../src/program/incidents/report.ts";
import { createNines, kill, type Nines, until } from "./nines.fixture.ts";

/** Of a worker's answers: the lower limit of what counts as slow. */
const SLOW_MS = 200;

/** Answers 500 while a file named after the instance is there. */
const service = `
import { existsSync } from "node:fs";
import { createServer } from "node:http";
const { NINES_INSTANCE, PORT, HOST } = process.env;
createServer((request, response) => {
  const sick = request.url !== "/healthz" && existsSync("sick-" + NINES_INSTANCE);
  response.statusCode = sick ? 500 : 200;
  setTimeout(() => response.end(NINES_INSTANCE), 2);
}).listen(Number(PORT), HOST);
`;

interface Seen {
  asked: number;
  /** 502, 503, 504, or no whole answer. */
  lost: number;
  serverErrors: number;
  slow: number;
}

/** A request every 10 ms, until it is stopped; answers are waited for however long they take. */
function clients(t: TestContext, { port }: Nines) {
  const seen: Seen = { asked: 0, lost: 0, serverErrors: 0, slow: 0 };
  const pending = new Set<Promise<void>>();
  const ask = async (): Promise<void> => {
    const beganMs = performance.now();
    try {
      const answer = await fetch(`http://127.0.0.1:${port}/`);
      await answer.text();
      if (answer.status === 500) seen.serverErrors++;
      else if (answer.status !== 200) seen.lost++;
    } catch {
      seen.lost++;
    }
    if (performance.now() - beganMs >= SLOW_MS) seen.slow++;
  };
  const timer = setInterval(() => {
    seen.asked++;
    const one = ask();
    pending.add(one);
    void one.finally(() => pending.delete(one));
  }, 10);
  t.after(() => clearInterval(timer));
  return {
    underWay: () =>
      until(
        () => seen.asked > 30,
        () => `${seen.asked} requests were made`,
      ),
    async stop(): Promise<Seen> {
      clearInterval(timer);
      await Promise.all(pending);
      return seen;
    },
  };
}

async function incidents(nines: Nines): Promise<readonly IncidentReport[]> {
  const { stdout, stderr, code } = await nines.run("incidents", "--json");
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout) as readonly IncidentReport[];
}

/** The only incident, once it is as wanted. */
async function untilIncident(
  nines: Nines,
  wanted: (incident: IncidentReport) => boolean,
): Promise<IncidentReport> {
  let all: readonly IncidentReport[] = [];
  await until(
    async () => {
      all = JSON.parse(await nines.admin("/v1/incidents")) as typeof all;
      const [first] = all;
      return first !== undefined && wanted(first);
    },
    () => JSON.stringify(all, undefined, 1),
    20_000,
  );
  assert.equal(all.length, 1, JSON.stringify(all, undefined, 1));
  return all[0] as IncidentReport;
}

/** Until two reports of each worker have surely come: what clients saw is counted by then. */
async function untilCounted(nines: Nines, lost: (one: IncidentReport) => boolean) {
  return untilIncident(nines, (one) => one.recoveredAt !== null && lost(one));
}

async function up(t: TestContext): Promise<Nines> {
  const nines = await createNines(t);
  writeFileSync(join(nines.folder, "sick.mjs"), service);
  nines.write({ command: "node sick.mjs" });
  await nines.up();
  return nines;
}

function assertOrdered(incident: IncidentReport, sinceWallMs: number): void {
  const { detectMs, transferMs, recoverMs, totalMs } = incident;
  const sum = (detectMs ?? 0) + (transferMs ?? 0) + (recoverMs ?? 0);
  assert.ok(Math.abs(sum - (totalMs ?? Number.NaN)) < 0.5, JSON.stringify(incident));
  // Reports tell of the 250 ms before them, and of more when they are late.
  assert.ok(Date.parse(incident.startedAt) >= sinceWallMs - 1_500, incident.startedAt);
}

describe("an incident under load", () => {
  it("kill -9: the end is the cause, nothing is lost, and the account reads so", async (t) => {
    const nines = await up(t);
    const load = clients(t, nines);
    await load.underWay();
    const sinceWallMs = Date.now();
    const victim = (await nines.instances()).find(({ id }) => id === "web-2");
    kill(victim?.pid);
    await untilIncident(nines, ({ recoveredAt }) => recoveredAt !== null);
    const seen = await load.stop();
    const incident = await untilCounted(nines, ({ lost }) => lost >= seen.lost);
    assert.match(incident.cause, /^web-2 restarts in .*: ended by SIGKILL after /);
    assert.deepEqual(incident.instances, ["web-2"]);
    assert.equal(incident.lost, seen.lost);
    assert.ok(incident.slow <= seen.slow, `${incident.slow} <= ${seen.slow}`);
    assertOrdered(incident, sinceWallMs);
    const { stdout } = await nines.run("incidents", "show", incident.id);
    assert.match(stdout, new RegExp(`^Incident ${incident.id}: web was in trouble for .*SIGKILL`));
    assert.match(stdout, /\+\d.* {2}action {4}web-2 started: pid \d+/);
    const listed = await nines.run("incidents", "web", "--last", "1");
    assert.match(listed.stdout, /^ID .*\n1-1 +web +(recovered|closed)/);
    const unknown = await nines.run("incidents", "show", "9-9");
    assert.equal(unknown.code, 2);
    assert.match(unknown.stderr, /NINES_INCIDENT_UNKNOWN/);
  });

  it("SIGSTOP: found out while it is silent, over when it answers again", async (t) => {
    const nines = await up(t);
    const load = clients(t, nines);
    await load.underWay();
    const sinceWallMs = Date.now();
    const { pid } = (await nines.instances()).find(({ id }) => id === "web-1") ?? {};
    assert.ok(pid);
    process.kill(pid, "SIGSTOP");
    const out = await untilIncident(nines, ({ transferredAt }) => transferredAt !== null);
    assert.deepEqual([out.state, out.recoveredAt], ["transferred", null]);
    assert.match((await nines.run("status")).stdout, /^incident 1-1, began \d+s ago: web is in /m);
    process.kill(pid, "SIGCONT");
    await untilIncident(nines, ({ recoveredAt }) => recoveredAt !== null);
    const seen = await load.stop();
    const incident = await untilCounted(nines, ({ lost }) => lost >= seen.lost);
    assert.match(incident.cause, /^web-1 /);
    assert.equal(incident.lost, seen.lost);
    assert.ok(incident.slow <= seen.slow, `${incident.slow} <= ${seen.slow}`);
    assertOrdered(incident, sinceWallMs);
  });

  it("500s: counted as clients got them, apart from what was lost", async (t) => {
    const nines = await up(t);
    const load = clients(t, nines);
    await load.underWay();
    const sinceWallMs = Date.now();
    writeFileSync(join(nines.folder, "sick-web-3"), "");
    await untilIncident(nines, ({ serverErrors }) => serverErrors > 0);
    const seen = await load.stop();
    // What came so seldom at first that it was no burst is not in it.
    const atLeast = seen.serverErrors - 5;
    const incident = await untilIncident(nines, (one) => one.serverErrors >= atLeast);
    assert.ok(incident.serverErrors <= seen.serverErrors, `${seen.serverErrors} were seen`);
    assert.equal(incident.lost, seen.lost);
    assert.match(incident.cause, /5xx|500|web-3/);
    assert.ok(Date.parse(incident.startedAt) >= sinceWallMs - 1_500, incident.startedAt);
  });

  it("is told without control, as control last kept it, and gone on with by the next", async (t) => {
    const nines = await up(t);
    const { control } = await nines.status();
    const { pid } = (await nines.instances()).find(({ id }) => id === "web-1") ?? {};
    assert.ok(pid);
    process.kill(pid, "SIGSTOP");
    const before = await untilIncident(nines, ({ transferredAt }) => transferredAt !== null);
    kill(control.pid);
    await until(
      async () => (await nines.status()).control.state === "not-running",
      () => "control is dead",
    );
    const [kept] = await incidents(nines);
    assert.equal(kept?.id, before.id);
    assert.equal(kept?.cause, before.cause);
    assert.equal(kept?.recoveredAt, null);
    process.kill(pid, "SIGCONT");
    await nines.up();
    const after = await untilIncident(nines, ({ recoveredAt }) => recoveredAt !== null);
    assert.equal(after.id, before.id);
    assert.match(after.notes.join("; "), /control was away .*its term 2: what clients lost/);
  });
});
