// Who waits on an instance: all are looked at, in turn, and never more than the bound at once.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Attempt, AttemptList, type AttemptOwner } from "./attempt.ts";
import { Instance } from "./instance-connection.ts";

const nothing = (): void => undefined;

/** Attempts that begin to wait a millisecond after each other, and note that they are looked at. */
class Waiting {
  readonly looked: number[] = [];
  readonly instance = new Instance({ id: "web-1", host: "127.0.0.1", port: 1 });
  readonly attempts: Attempt[] = [];
  onHedge: (attempt: Attempt) => void = nothing;

  constructor(count: number) {
    const owner: AttemptOwner = {
      onConnected: nothing,
      onAnswerBytes: nothing,
      onRequestDrained: nothing,
      onConnectionLost: nothing,
      hedge: (attempt) => {
        this.looked.push(this.attempts.indexOf(attempt));
        this.onHedge(attempt);
      },
    };
    for (let number = 0; number < count; number++) {
      const attempt = new Attempt(owner);
      this.attempts.push(attempt);
      attempt.begin(0, this.instance, number);
      attempt.await(number);
    }
  }

  get list(): AttemptList {
    return this.instance.unanswered;
  }

  look(untilMs: number, lookedMax: number): number[] {
    this.looked.length = 0;
    this.list.hedge(untilMs, 1_000, lookedMax);
    return [...this.looked];
  }
}

test("one look goes on where the one before it ended", () => {
  const waiting = new Waiting(7);
  const looks = [1, 2, 3, 4, 5].map(() => waiting.look(100, 3));
  assert.deepEqual(looks, [[0, 1, 2], [3, 4, 5], [6], [0, 1, 2], [3, 4, 5]]);
});

test("who has not waited for long enough ends the round", () => {
  const waiting = new Waiting(7);
  assert.deepEqual(
    [waiting.look(4, 3), waiting.look(4, 3), waiting.look(4, 3)],
    [
      [0, 1, 2],
      [3, 4],
      [0, 1, 2],
    ],
  );
});

test("whoever leaves between two looks, or during one, loses nobody his turn", () => {
  const leaving = fc.array(fc.tuple(fc.nat(29), fc.boolean()), { maxLength: 30 });
  fc.assert(
    fc.property(leaving, fc.integer({ min: 1, max: 9 }), (left, lookedMax) => {
      const waiting = new Waiting(30);
      const plan = [...left];
      const leave = (): boolean => {
        const next = plan.shift();
        const attempt = next === undefined ? undefined : waiting.attempts[next[0]];
        if (attempt?.underWay === true) attempt.end();
        return next?.[1] ?? false;
      };
      waiting.onHedge = () => void (leave() && leave());
      const seen = new Set<number>();
      for (let looks = 0; looks < 80; looks++) {
        const looked = waiting.look(100, lookedMax);
        assert.ok(looked.length <= lookedMax);
        for (const number of looked) seen.add(number);
        leave();
      }
      const stay = waiting.attempts.flatMap(({ underWay }, number) => (underWay ? [number] : []));
      assert.deepEqual(
        stay.filter((number) => !seen.has(number)),
        [],
      );
    }),
  );
});
