// What every account of an incident is: ordered, complete, the same when told again. And a few
// accounts as they are told.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  type Account,
  addLosses,
  lossQuietMs,
  type Observation,
  observed,
  quietAccount,
  resumedAccount,
  settleMs,
  suspicionMs,
} from "./fold.ts";
import {
  type Certainty,
  certainty,
  type Incident,
  type Losses,
  nothingLost,
  timelineMax,
  timesOf,
} from "./incident.ts";
import { happenings, incidentTable, states } from "./incident-table.ts";

const wallMs = 1_700_000_000_000;

interface Told {
  readonly account: Account;
  /** Closed ones, then the one under way. */
  readonly incidents: readonly Incident[];
}

function tell(seen: readonly Observation[], from: Account = quietAccount("web")): Told {
  const closed: Incident[] = [];
  let account = from;
  let opened = 0;
  for (const one of seen) {
    const id = `1-${opened + 1}`;
    const after = observed(account, one, { wallMs: wallMs + one.atMs, id });
    if (after.incident?.id === id && account.incident?.id !== id) opened++;
    if (after.previous !== undefined) closed.push(after.previous);
    if (after !== account && after.incident?.state === "closed") closed.push(after.incident);
    account = after;
  }
  const { incident } = account;
  const underWay = incident === undefined || incident.state === "closed" ? [] : [incident];
  return { account, incidents: [...closed, ...underWay] };
}

function fault(atMs: number, instance = "web-2", sure: Certainty = certainty.end): Observation {
  const sentence = `${instance} ended: signal SIGKILL`;
  return { kind: "fault", atMs, instance, sentence, certainty: sure };
}
function mended(atMs: number, instance = "web-2"): Observation {
  return { kind: "mended", atMs, instance, sentence: `${instance} is ready` };
}
function lost(atMs: number, count: number, more: Partial<Losses> = {}): Observation {
  const losses = { ...nothingLost, requests: count, lost: count, ...more };
  return { kind: "counted", atMs, fromMs: atMs - 250, losses, notable: losses.lost > 0 };
}
const sign = (atMs: number): Observation => ({ kind: "sign", atMs, sentence: "web-2 closed" });
const elsewhere = (atMs: number): Observation => ({
  kind: "elsewhere",
  atMs,
  sentence: "to web-1",
});
function lines([first]: readonly Incident[]): readonly string[] {
  return (first?.timeline ?? []).map(({ kind, sentence }) => `${kind} ${sentence}`);
}
const passed = (atMs: number): Observation => ({ kind: "passed", atMs });

describe("the account of an incident", () => {
  it("tells detection, transfer and recovery, which add up to the whole", () => {
    const { incidents } = tell([
      sign(1_000),
      fault(1_040),
      elsewhere(1_060),
      lost(1_200, 2),
      mended(3_000),
    ]);
    assert.equal(incidents.length, 1);
    const [incident] = incidents as [Incident];
    assert.deepEqual(timesOf(incident), {
      detectMs: 40,
      transferMs: 20,
      recoverMs: 1_940,
      totalMs: 2_000,
    });
    assert.equal(incident.cause, "web-2 ended: signal SIGKILL");
    assert.deepEqual(incident.losses, { ...nothingLost, lost: 2, requests: 2 });
    const kinds = incident.timeline.map(({ kind }) => kind);
    assert.deepEqual(kinds, ["sign", "fault", "transfer", "loss", "mended", "recovery"]);
  });

  it("counts the requests until full strength, and none that began later", () => {
    const counted = (atMs: number, requests: number, worstMs: number, slow = 0): Observation => {
      const losses = { ...nothingLost, requests, worstMs, slow };
      return { kind: "counted", atMs, fromMs: atMs - 250, losses, notable: false };
    };
    const { incidents } = tell([
      fault(1_000),
      elsewhere(1_010),
      counted(1_250, 5, 20),
      mended(1_400),
      counted(1_500, 7, 20),
      counted(1_750, 11, 20),
      counted(2_000, 13, 500, 1),
      counted(3_000, 17, 20),
    ]);
    const [incident] = incidents as [Incident];
    assert.equal(incident.state, "recovered");
    const expected = { ...nothingLost, requests: 5 + 7 + 13, worstMs: 500, slow: 1 };
    assert.deepEqual(incident.losses, expected);
  });

  it("is none when a sign is followed by nothing", () => {
    const { account, incidents } = tell([sign(1_000), passed(1_000 + suspicionMs)]);
    assert.equal(account.state, "quiet");
    assert.deepEqual(incidents, []);
  });

  it("begins with losses alone, and ends with the last of them when nobody was found out", () => {
    const { incidents } = tell([lost(1_000, 3), lost(2_000, 1), passed(2_000 + lossQuietMs)]);
    const [incident] = incidents as [Incident];
    assert.equal(incident.state, "recovered");
    const { detectMs, totalMs } = timesOf(incident);
    assert.deepEqual([detectMs, totalMs], [undefined, 1_250]);
  });

  it("is one for faults that overlap, and over only when the last one is mended", () => {
    const seen = [
      fault(1_000, "web-1"),
      elsewhere(1_010),
      fault(2_000, "web-2"),
      mended(3_000, "web-1"),
      elsewhere(3_010),
    ];
    const before = tell(seen);
    assert.equal(before.account.state, "transferred");
    const { incidents } = tell([...seen, mended(4_000, "web-2"), passed(4_000 + settleMs)]);
    assert.equal(incidents.length, 1);
    const [incident] = incidents as [Incident];
    assert.deepEqual(incident.instances, ["web-1", "web-2"]);
    assert.deepEqual(timesOf(incident), {
      detectMs: 0,
      transferMs: 10,
      recoverMs: 2_990,
      totalMs: 3_000,
    });
  });

  it("goes on when it comes again before full strength has lasted", () => {
    const flapping = [fault(1_000), elsewhere(1_001), mended(2_000), fault(3_000), mended(4_000)];
    const { incidents } = tell(flapping);
    assert.equal(incidents.length, 1);
    assert.equal(timesOf(incidents[0] as Incident).totalMs, 3_000);
    const apart = tell([...flapping, passed(4_000 + settleMs), fault(20_000)]);
    assert.deepEqual(
      apart.incidents.map(({ id }) => id),
      ["1-1", "1-2"],
    );
  });

  it("ends when another instance is out after it: that is another incident", () => {
    const { incidents } = tell([fault(1_000), mended(2_000), fault(3_000, "web-1")]);
    assert.deepEqual(
      incidents.map(({ id, state, instances }) => [id, state, instances]),
      [
        ["1-1", "closed", ["web-2"]],
        ["1-2", "detected", ["web-1"]],
      ],
    );
  });

  it("takes the more certain reason for its cause, of the first instance only", () => {
    const ejected = { ...fault(1_000, "web-2", certainty.ejection), sentence: "web-2 ejected" };
    const other = { ...fault(1_500, "web-3"), sentence: "web-3 ended" };
    const { incidents } = tell([ejected as Observation, other as Observation, fault(2_000)]);
    assert.equal(incidents[0]?.cause, "web-2 ended: signal SIGKILL");
  });

  it("begins earlier when a check that began earlier turns out to have failed", () => {
    const { incidents } = tell([fault(1_000), sign(900)]);
    assert.equal(incidents[0]?.startedMs, 900);
    assert.equal(incidents[0]?.startedWallMs, wallMs + 900);
    assert.equal(timesOf(incidents[0] as Incident).detectMs, 100);
  });

  it("begins with the answers 5xx that led to an ejection", () => {
    const errors = lost(1_100, 0, { serverErrors: 5 });
    const { incidents } = tell([fault(1_000, "web-2", certainty.ejection), errors]);
    assert.equal(timesOf(incidents[0] as Incident).detectMs, 150);
  });

  it("says how old losses may be that it hears of late", () => {
    const late: Observation = { ...lost(60_000, 4), fromMs: 20_000 } as Observation;
    const { incidents } = tell([fault(59_000), late]);
    assert.equal(incidents[0]?.startedMs, 59_000);
    assert.match(
      incidents[0]?.notes.join() ?? "",
      /^4 requests lost may have been up to 39 s before/,
    );
  });

  it("is gone on with by the next control", () => {
    const open = tell([fault(1_000), elsewhere(1_010)]).incidents[0] as Incident;
    const { incidents } = tell([mended(60_000)], resumedAccount(open));
    assert.equal(incidents[0]?.id, open.id);
    assert.equal(timesOf(incidents[0] as Incident).recoverMs, 58_990);
  });

  it("tells a thing that is said again and again in one line", () => {
    const ejected = { ...fault(1_020), sentence: "web-2 ejected for 1 s" } as Observation;
    const seen = [sign(1_000), fault(1_010), sign(1_000), ejected, elsewhere(1_025)];
    const { incidents } = tell([...seen, lost(1_030, 1), fault(1_040), sign(1_050), ejected]);
    assert.deepEqual(lines(incidents), [
      "sign web-2 closed",
      "fault web-2 ended: signal SIGKILL",
      "fault web-2 ejected for 1 s",
      "transfer to web-1",
      "loss 1 request lost",
    ]);
  });

  it("tells one that is out again as often as it is", () => {
    const again = [fault(1_000), mended(1_010), fault(1_020), mended(1_030)];
    const kinds = tell(again).incidents[0]?.timeline.map(({ kind }) => kind);
    assert.deepEqual(kinds?.filter((kind) => kind === "fault").length, 2);
  });

  it("has no part in what is done after full strength", () => {
    const action = (atMs: number): Observation => ({
      kind: "action",
      atMs,
      sentence: `at ${atMs}`,
    });
    const seen = [fault(1_000), action(1_100), mended(2_000), action(2_000), action(2_001)];
    const told = lines(tell(seen).incidents).filter((line) => line.startsWith("action"));
    assert.deepEqual(told, ["action at 1100", "action at 2000"]);
  });

  it("stays small whatever happens; its beginning and its latest are kept", () => {
    const many = Array.from({ length: 1_000 }, (_, index): Observation => {
      return { kind: "action", atMs: 1_001 + index, sentence: `event ${index}` };
    });
    const { incidents } = tell([fault(1_000), ...many]);
    const { timeline, omitted } = incidents[0] as Incident;
    assert.equal(timeline.length, timelineMax);
    assert.equal(timeline.length + omitted, 1_001);
    assert.equal(timeline[0]?.kind, "fault");
    assert.equal(timeline.at(-1)?.sentence, "event 999");
  });
});

describe("any account", () => {
  const instance = fc.constantFrom("web-1", "web-2", "web-3");
  const losses = fc.record({
    lost: fc.nat(3),
    serverErrors: fc.nat(3),
    slow: fc.nat(3),
    worstMs: fc.nat(500),
    requests: fc.integer({ min: 9, max: 40 }),
  });
  const what = fc.oneof(
    fc.record({ kind: fc.constant("sign" as const), backMs: fc.nat(400) }),
    fc.record({ kind: fc.constant("fault" as const), instance }),
    fc.record({ kind: fc.constant("mended" as const), instance }),
    fc.record({ kind: fc.constant("elsewhere" as const) }),
    fc.record({ kind: fc.constant("action" as const), number: fc.nat(1_000) }),
    fc.record({ kind: fc.constant("passed" as const) }),
    fc.record({ kind: fc.constant("counted" as const), losses, notable: fc.boolean() }),
  );
  type What = typeof what extends fc.Arbitrary<infer T> ? T : never;
  const story = fc.array(fc.tuple(fc.nat(4_000), what), { maxLength: 80 });

  /** In the order of hearing; a sign may have begun a little before. */
  function observations(steps: readonly (readonly [number, What])[]): readonly Observation[] {
    let nowMs = 10_000;
    return steps.map(([afterMs, one]): Observation => {
      nowMs += afterMs;
      const atMs = nowMs;
      switch (one.kind) {
        case "sign":
          return { kind: "sign", atMs: atMs - one.backMs, sentence: `sign ${atMs}` };
        case "fault":
          return fault(atMs, one.instance);
        case "mended":
          return mended(atMs, one.instance);
        case "action":
          return { kind: "action", atMs, sentence: `event ${one.number} at ${atMs}` };
        case "counted":
          return { ...one, atMs, fromMs: atMs - Math.min(afterMs, 250) };
        case "elsewhere":
          return { kind: "elsewhere", atMs, sentence: `traffic at ${atMs}` };
        case "passed":
          return passed(atMs);
      }
    });
  }

  function always(property: (seen: readonly Observation[], told: Told) => void): void {
    fc.assert(
      fc.property(story, (steps) => {
        const seen = observations(steps);
        property(seen, tell(seen));
      }),
      { numRuns: 400 },
    );
  }

  it("has its times in order, and they add up", () =>
    always((_, { incidents }) => {
      for (const incident of incidents) {
        const { startedMs, detectedMs, transferredMs, recoveredMs, closedMs } = incident;
        const times = [startedMs, detectedMs, transferredMs, recoveredMs, closedMs].filter(
          (time) => time !== undefined,
        );
        assert.deepEqual(
          times,
          times.toSorted((a, b) => a - b),
        );
        const { detectMs, transferMs, recoverMs, totalMs } = timesOf(incident);
        if (detectMs === undefined) assert.equal(transferMs, undefined);
        else if (totalMs !== undefined) {
          const sum = detectMs + (transferMs ?? Number.NaN) + (recoverMs ?? Number.NaN);
          assert.equal(sum, totalMs);
        }
        const moments = incident.timeline.map(({ atMs }) => atMs);
        assert.deepEqual(
          moments,
          moments.toSorted((a, b) => a - b),
        );
      }
    }));

  it("counts what was notable in exactly one incident", () =>
    always((seen, { incidents }) => {
      const notable = seen.filter((one) => one.kind === "counted" && one.notable);
      const all = seen.filter((one) => one.kind === "counted");
      const least = sum(notable.map((one) => (one as { losses: Losses }).losses)).lost;
      const most = sum(all.map((one) => (one as { losses: Losses }).losses)).lost;
      const counted = sum(incidents.map((one) => one.losses)).lost;
      assert.ok(counted >= least && counted <= most, `${least} <= ${counted} <= ${most}`);
    }));

  it("misses no fault, and is over only when nobody is out", () =>
    always((seen, { account, incidents }) => {
      const faults = seen.filter((one) => one.kind === "fault");
      for (const { instance: id, atMs } of faults) {
        const covering = incidents.filter(
          (one) =>
            one.instances.includes(id) &&
            one.startedMs <= atMs &&
            (one.closedMs === undefined || atMs <= one.closedMs),
        );
        assert.equal(covering.length, 1, `${id} at ${atMs}`);
      }
      // The slow way to know who is out: the last word on each.
      const out = new Set<string>();
      for (const one of seen) {
        if (one.kind === "fault") out.add(one.instance);
        if (one.kind === "mended") out.delete(one.instance);
      }
      const known = account.state === "quiet" ? {} : (account.incident?.out ?? {});
      assert.deepEqual(Object.keys(known).sort(), [...out].sort());
      const isOut = account.state === "detected" || account.state === "transferred";
      assert.equal(isOut, out.size > 0);
    }));

  it("is the same when it is told again, and when another control goes on with it", () =>
    always((seen, { incidents }) => {
      assert.deepEqual(tell(seen).incidents, incidents);
      const kept = JSON.parse(JSON.stringify(incidents)) as readonly Incident[];
      assert.equal(kept.length, incidents.length, "what is kept is plain JSON");
      for (const incident of kept) {
        if (incident.state === "closed") continue;
        assert.equal(resumedAccount(incident).state, incident.state);
      }
    }));

  it("moves as the table says, and the table names every state and every happening", () => {
    for (const state of states) {
      assert.deepEqual(Object.keys(incidentTable[state]).sort(), Object.keys(happenings).sort());
    }
    const reached = new Set(
      states.flatMap((state) => Object.values(incidentTable[state]).map((step) => step?.next)),
    );
    for (const state of states) assert.ok(reached.has(state), `${state} can be reached`);
  });
});

function sum(losses: readonly Losses[]): Losses {
  return losses.reduce(addLosses, nothingLost);
}
