// The promises of ports/term-claims.ts. Races between real processes are tested with the files
// that the real one is made of (src/state/term-claims.process.test.ts).

import assert from "node:assert/strict";
import { test } from "node:test";
import type { ProcessIdentity } from "../../src/ports/processes.ts";
import type { TermClaims } from "../../src/ports/term-claims.ts";

export interface TermClaimsWorld {
  /** A new living process, and the office as it sees it. */
  process(): { readonly identity: ProcessIdentity; readonly claims: TermClaims };
  kill(identity: ProcessIdentity): void;
}

export function termClaimsConformance(name: string, createWorld: () => TermClaimsWorld): void {
  test(`${name}: nobody holds an office before the first claim, which takes term 1`, () => {
    const { identity, claims } = createWorld().process();
    assert.equal(claims.holder(), undefined);
    assert.equal(claims.claim(), 1);
    assert.deepEqual(claims.holder(), { term: 1, identity, alive: true });
  });

  test(`${name}: while the holder lives nobody else takes the office, nor it a second time`, () => {
    const world = createWorld();
    const [holder, other] = [world.process(), world.process()];
    holder.claims.claim();
    assert.equal(other.claims.claim(), undefined);
    assert.equal(holder.claims.claim(), undefined);
    assert.equal(other.claims.holder()?.identity.pid, holder.identity.pid);
  });

  test(`${name}: a dead holder is named until the next claim, which takes the next term`, () => {
    const world = createWorld();
    for (let term = 1; term <= 30; term++) {
      const holder = world.process();
      assert.equal(holder.claims.claim(), term);
      world.kill(holder.identity);
      const { claims } = world.process();
      assert.deepEqual(claims.holder(), { term, identity: holder.identity, alive: false });
    }
  });

  test(`${name}: a living holder hands over by its term, and no older term serves`, () => {
    const world = createWorld();
    const [first, second, third] = [world.process(), world.process(), world.process()];
    assert.equal(first.claims.claim(), 1);
    assert.equal(second.claims.claim(undefined, 1), 2);
    assert.equal(third.claims.claim(undefined, 1), undefined);
    assert.equal(first.claims.holder()?.identity.pid, second.identity.pid);
  });

  test(`${name}: an office may be taken for another process`, () => {
    const world = createWorld();
    const [starter, started] = [world.process(), world.process()];
    assert.equal(starter.claims.claim(started.identity), 1);
    world.kill(starter.identity);
    assert.equal(world.process().claims.claim(), undefined);
    world.kill(started.identity);
    assert.equal(world.process().claims.claim(), 2);
  });

  test(`${name}: who has its pid now does not hold what the dead one held`, () => {
    const world = createWorld();
    const [other, claimer] = [world.process(), world.process()];
    const impostor = { ...other.identity, startTime: `${other.identity.startTime}0` };
    assert.equal(claimer.claims.claim(impostor), 1);
    assert.equal(claimer.claims.holder()?.alive, false);
    assert.equal(claimer.claims.claim(), 2);
  });
}
