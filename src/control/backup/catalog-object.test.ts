// Whom to believe of an object that targets contradict one another about.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Target } from "../../ports/target.ts";
import { Catalog } from "./catalog.ts";
import { allPlaces, doubts, objectOf, type ShardPlace } from "./catalog-object.ts";

/** "a 4+2.0": target a says that it has shard 0 of 4 + 2. */
function places(...said: readonly string[]): readonly ShardPlace[] {
  const targets = new Map<string, Target>();
  return said.map((each) => {
    const [, name = "", ...numbers] = /^(\w) (\d+)\+(\d+)\.(\d+)$/.exec(each) ?? [];
    const target = targets.get(name) ?? ({ name } as Target);
    targets.set(name, target);
    const [dataShards = 0, parityShards = 0, shard = 0] = numbers.map(Number);
    return { kind: "pack", id: "0f", dataShards, parityShards, shard, attempt: 0, target };
  });
}

function say(all: readonly ShardPlace[] | undefined): readonly string[] | undefined {
  return all?.map(({ target, dataShards, parityShards, shard }) => {
    return `${target.name} ${dataShards}+${parityShards}.${shard}`;
  });
}

describe("an object, by what targets say of it", () => {
  it("is of the geometry that most of them have, however much few of them have", () => {
    const liar = ["a 1+2.0", "a 1+2.1", "a 1+2.2"];
    const object = objectOf(places(...liar, "b 2+1.0", "c 2+1.1"));
    assert.deepEqual(say(object?.places), ["b 2+1.0", "c 2+1.1"]);
    assert.deepEqual(say(object?.strays), liar);
    assert.deepEqual([object?.dataShards, object?.parityShards], [2, 1]);
    assert.equal(object?.isContested, true);
    assert.equal(objectOf(places("b 2+1.0", "c 2+1.1"))?.isContested, false);
  });

  it("is asked first of who says less, and of the others as well: theirs may be right", () => {
    const object = objectOf(places("a 2+1.0", "a 2+1.1", "a 2+1.2", "b 2+1.1", "c 2+1.2"));
    const second = object?.places.filter(({ shard }) => shard === 1);
    assert.deepEqual(say(second), ["b 2+1.1", "a 2+1.1"]);
    assert.deepEqual([object?.strays, object?.isContested], [[], true]);
  });

  it("stays known where nobody is believed", () => {
    const object = objectOf(places("a 1+1.0"), () => false);
    assert.deepEqual([object?.places, say(object?.strays)], [[], ["a 1+1.0"]]);
    assert.equal(objectOf([]), undefined);
  });

  it("is doubted target by target, then by pairs, those first who say most", () => {
    const object = objectOf(places("a 1+2.0", "b 1+2.1", "b 1+2.2", "c 1+2.2"));
    const left = [...doubts(object ?? assert.fail())].map((each) => say(each.places)?.join(", "));
    assert.deepEqual(left, [
      "a 1+2.0, c 1+2.2",
      "c 1+2.2, b 1+2.1, b 1+2.2",
      "a 1+2.0, b 1+2.1, b 1+2.2",
      "c 1+2.2",
      "a 1+2.0",
      "b 1+2.1, b 1+2.2",
    ]);
  });
});

describe("a catalog", () => {
  it("listens to one target about one object for so long, and then still to the others", () => {
    const catalog = new Catalog(2, { shareDomains: false });
    const numbers = Array.from({ length: 600 }, (_, attempt) => attempt);
    const [honest, ...liars] = places("b 2+1.1", ...numbers.map(() => "a 2+1.0"));
    for (const [attempt, place] of liars.entries()) catalog.add({ ...place, attempt });
    catalog.add(honest ?? assert.fail());
    const object = catalog.find("pack", "0f") ?? assert.fail();
    assert.equal(allPlaces(object).length, 511);
    assert.equal(catalog.isReadable("pack", "0f"), true);
  });
});
