// That a follower of events gets each of them, or is told that it does not.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import type { RecordedEvent } from "../../runtime/event-log.ts";
import { since, streamEvents } from "./event-stream.ts";

function event(number: number): RecordedEvent {
  return { number, time: "", kind: "instance.ready", level: "info", sentence: "web-1 is ready" };
}

const kept = [5, 6, 7].map(event);
const numbers = ({ events }: ReturnType<typeof since>) => events.map(({ number }) => number);

describe("what a follower does not have yet", () => {
  const cases: readonly (readonly [string, number | undefined, readonly number[], unknown])[] = [
    ["all, when it names none", undefined, [5, 6, 7], undefined],
    ["the rest, when its last is among them", 6, [7], undefined],
    ["nothing, when it has all", 7, [], undefined],
    ["all, when it had the one before the first", 4, [5, 6, 7], undefined],
    ["all after a gap, when the bound has passed it by", 3, [5, 6, 7], { after: 3, next: 5 }],
    ["all after a gap, when it never had any", 0, [5, 6, 7], { after: 0, next: 5 }],
    ["all after a gap, when its number is of another count", 9, [5, 6, 7], { after: 9, next: 5 }],
  ];
  for (const [what, after, expected, gap] of cases) {
    it(`is ${what}`, () => {
      const found = since(kept, after);
      assert.deepEqual(numbers(found), expected);
      assert.deepEqual(found.gap, gap);
    });
  }

  it("is nothing of nothing, without a gap", () => {
    assert.deepEqual(since([], 0), { events: [] });
  });

  it("is told with a gap exactly when a number is missing, wherever it was cut off", () => {
    const places = fc.tuple(fc.nat(30), fc.nat(30), fc.nat(60));
    fc.assert(
      fc.property(places, ([first, length, after]) => {
        const window = Array.from({ length }, (_, index) => event(first + 1 + index));
        const { gap, events } = since(window, after);
        const newest = first + length;
        const missing = length > 0 && after < first;
        const otherCount = after > (length === 0 ? 0 : newest);
        assert.equal(gap !== undefined, missing || otherCount);
        const expected = otherCount ? window : window.filter(({ number }) => number > after);
        assert.deepEqual(events, expected);
      }),
    );
  });
});

describe("the stream", () => {
  it("says how soon to come again, then the gap, what is kept, and what happens", () => {
    let written = "";
    let listener: (event: RecordedEvent) => void = () => undefined;
    const source = {
      events: () => kept,
      subscribe: (one: typeof listener) => {
        listener = one;
        return { [Symbol.dispose]: () => undefined };
      },
    };
    streamEvents(source, 2, (text) => (written += text));
    listener(event(8));
    const lines = [5, 6, 7, 8].flatMap((number) => [
      `id: ${number}`,
      `data: ${JSON.stringify(event(number))}`,
      "",
    ]);
    const gap = ["event: gap", 'data: {"after":2,"next":5}', ""];
    assert.equal(written, ["retry: 1000", "", ...gap, ...lines, ""].join("\n"));
  });
});
