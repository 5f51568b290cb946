// Incidents survive whoever saw them, and nobody waits for the disk.

import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { killedInstance } from "../core/incident/incident.fixture.ts";
import type { Incident } from "../core/incident/incident.ts";
import type { EventEntry } from "../ports/events.ts";
import { createClock } from "../runtime/clock.ts";
import { createDisk } from "../runtime/disk.ts";
import {
  createHistory,
  type DiskHistory,
  incidentBytesMax,
  incidentsMax,
  type Kept,
  put,
  readHistory,
} from "./history.ts";

interface Place {
  readonly folder: string;
  readonly events: EventEntry[];
  open(): DiskHistory;
  read(): Promise<readonly Incident[]>;
}

function place(t: TestContext): Place {
  const parent = mkdtempSync(join(tmpdir(), "nines-history-"));
  t.after(() => rmSync(parent, { recursive: true, force: true }));
  // The clock's own timers keep no process alive.
  const alive = setInterval(() => undefined, 1_000);
  t.after(() => clearInterval(alive));
  const folder = join(parent, "history");
  const events: EventEntry[] = [];
  const record = (entry: EventEntry): void => void events.push(entry);
  const [disk, clock] = [createDisk(), createClock()];
  return {
    folder,
    events,
    open: () => createHistory({ folder, disk, clock, events: { record } }),
    read: () => readHistory(folder, disk),
  };
}

function restored(history: DiskHistory): Promise<readonly Incident[]> {
  return new Promise((resolve) => {
    history.whenRestored(resolve);
  });
}

const ids = (incidents: readonly Incident[]): readonly string[] => incidents.map(({ id }) => id);

describe("the history of incidents", { timeout: 60_000 }, () => {
  it("has the newest of each after a restart, and reads without anybody running", async (t) => {
    const { open, read } = place(t);
    const first = open();
    first.keep(killedInstance({ id: "1-1", state: "detected" }));
    first.keep(killedInstance({ id: "1-2" }));
    first.keep(killedInstance({ id: "1-1", state: "closed" }));
    assert.deepEqual(ids(first.incidents()), ["1-1", "1-2"], "known at once");
    await first.close();
    const second = open();
    const kept = await restored(second);
    assert.deepEqual(
      kept.map(({ id, state }) => [id, state]),
      [
        ["1-1", "closed"],
        ["1-2", "closed"],
      ],
    );
    assert.deepEqual(await read(), kept, "read while it is in use");
    await second.close();
  });

  it("is read from snapshot and log together, and stays small", async (t) => {
    const { open, read, folder } = place(t);
    const history = open();
    await restored(history);
    // Each goes to the disk before the next: some thousand changes of a hundred incidents.
    for (let change = 0; change < 1_500; change++) {
      history.keep(killedInstance({ id: `1-${change % 100}`, closedMs: change }));
      if (change % 10 === 9) await new Promise((resolve) => setImmediate(resolve));
    }
    const known = history.incidents();
    await history.close();
    const found = await read();
    assert.deepEqual(
      found.toSorted((a, b) => (a.id < b.id ? -1 : 1)),
      known.toSorted((a, b) => (a.id < b.id ? -1 : 1)),
    );
    const bytes = readdirSync(folder).reduce(
      (sum, name) => sum + statSync(join(folder, name)).size,
      0,
    );
    assert.ok(bytes < 8 * 1_048_576, `${bytes} bytes`);
  });

  it("keeps the newest when there are too many, or they are too large", () => {
    const kept: Kept = { incidents: new Map(), bytes: new Map(), totalBytes: 0 };
    for (let number = 1; number <= incidentsMax + 5; number++) {
      put(kept, killedInstance({ id: `1-${number}`, timeline: [], cause: "", instances: [] }));
    }
    assert.equal(kept.incidents.size, incidentsMax);
    assert.ok(!kept.incidents.has("1-5") && kept.incidents.has("1-6"));
    const large = "x".repeat(incidentBytesMax / 100);
    for (let number = 1; number <= 150; number++) {
      put(kept, killedInstance({ id: `2-${number}`, cause: large }));
    }
    assert.ok(kept.totalBytes <= incidentBytesMax);
    assert.ok(kept.incidents.has("2-150") && !kept.incidents.has("2-1"));
    const sum = [...kept.bytes.values()].reduce((a, b) => a + b, 0);
    assert.equal(kept.totalBytes, sum);
  });

  it("goes on in memory when the disk fails, and says so once", async (t) => {
    const { open, folder, events } = place(t);
    writeFileSync(folder, "not a folder");
    const history = open();
    history.keep(killedInstance());
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(ids(history.incidents()), ["3-1"]);
    await history.close();
    assert.deepEqual(
      events.map(({ kind }) => kind),
      ["history.failed"],
    );
    assert.match(events[0]?.sentence ?? "", /^incidents are kept in memory only, /);
  });

  it("waits for the one before it, silently, and writes what has gathered", async (t) => {
    const { open, events, read } = place(t);
    const first = open();
    await restored(first);
    const second = open();
    second.keep(killedInstance({ id: "2-1" }));
    first.keep(killedInstance({ id: "1-1" }));
    await first.close();
    assert.deepEqual(ids(await restored(second)), ["1-1"]);
    await second.close();
    assert.deepEqual(ids(await read()), ["1-1", "2-1"]);
    assert.deepEqual(events, []);
  });

  it("is empty where nothing was kept", async (t) => {
    assert.deepEqual(await place(t).read(), []);
  });
});
