// The example that `npm start` runs: what a customer did outlives the process that did it.

import assert from "node:assert/strict";
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { createNines, until, kill } from "./nines.fixture.ts";

const root = join(import.meta.dirname, "..", "..", "..");
const example = join(root, "examples", "shop");
const readme = join(example, "..", "..", "README.md");

interface Order {
  readonly key: string;
  readonly takenBy: string;
  readonly cents: number;
}

describe("the shop", () => {
  it("shows a page, by whichever instance, and turns down what makes no sense", async (t) => {
    const { address } = await openShop(t);
    const page = await fetch(address);
    assert.equal(page.status, 200);
    assert.match(page.headers.get("x-shop-instance") ?? "", /^shop-[123]$/);
    assert.match(await page.text(), /<h1>The shop that stays open<\/h1>/);
    const post = async (path: string, body: string) =>
      (await fetch(`${address}${path}`, { method: "POST", body })).status;
    assert.equal(await post("/api/orders", "{}"), 409, "an empty cart");
    assert.equal(await post("/api/cart", '{"id":"gold"}'), 404);
    assert.equal(await post("/api/cart", '{"id":"lamp","quantity":1e9}'), 400);
    assert.equal(await post("/api/cart", "not json"), 400);
    assert.equal(await post("/api/cart", "x".repeat(20_000)), 413);
    assert.equal((await fetch(`${address}/nothing`)).status, 404);
  });

  it("keeps an order that it confirmed through kill -9 of all instances", async (t) => {
    const { nines, address } = await openShop(t);
    const order = await customer(address);
    const placed = await order("once");
    assert.equal(placed.status, 201);
    const { cents } = (await placed.json()) as Order;
    assert.equal(cents, 6500);
    assert.equal((await order("once")).status, 200, "the same key does not order again");

    for (const { pid } of await nines.instances()) kill(pid);
    let orders: readonly Order[] = [];
    await until(
      async () => {
        const answer = await fetch(`${address}/api/orders`);
        if (answer.ok) orders = (await answer.json()) as readonly Order[];
        return answer.ok;
      },
      () => "an instance answers again",
    );
    assert.deepEqual(
      orders.map(({ key }) => key),
      ["once"],
    );
  });

  it("does what the README's tour asks of it", async (t) => {
    const { nines } = await openShop(t);
    const tour = /\*\*Change things.*?```\n(.*?)```/s.exec(readFileSync(readme, "utf8"))?.[1] ?? "";
    const lines = tour.split("\n").filter((line) => line !== "" && !line.includes(" -f "));
    assert.ok(lines.length >= 5, tour);
    for (const line of lines) {
      const edit = /^\$ sed -i 's\/(.*)\/(.*)\/' nines.yaml$/.exec(line);
      if (edit !== null) {
        const [, before = "", after = ""] = edit;
        const text = readFileSync(nines.file, "utf8");
        assert.ok(text.includes(before), line);
        writeFileSync(nines.file, text.replace(before, after));
        continue;
      }
      const words = /^\$ npx nines ([^#]*[^# ])/.exec(line)?.[1]?.split(" ");
      assert.ok(words, line);
      const { code, stderr } = await nines.run(...words);
      assert.equal(code, 0, `${line}\n${stderr}`);
    }
  });

  it("takes orders all the while that its instances are killed, the keeper among them", async (t) => {
    const { nines, address } = await openShop(t);
    const order = await customer(address);
    const keys = ["before"];
    assert.equal((await order("before")).status, 201);
    for (const { id, pid } of await nines.instances()) {
      kill(pid);
      keys.unshift(id);
      // One that the dying instance had been sent is not sent twice by the gateway; a customer may.
      await until(
        async () => (await order(id)).ok,
        () => `an order after ${id} was killed`,
      );
    }
    const orders = (await (await fetch(`${address}/api/orders`)).json()) as readonly Order[];
    assert.deepEqual(
      orders.map(({ key }) => key),
      keys,
    );
  });

  it("confirms an order that met a keeper which hangs, once another keeps the orders", async (t) => {
    const { nines, address } = await openShop(t);
    const order = await customer(address);
    assert.equal((await order("before")).status, 201);
    const { stdout } = await nines.run("logs");
    const keeper = /(shop-\d) keeps the orders/.exec(stdout)?.[1];
    const pid = (await nines.instances()).find(({ id }) => id === keeper)?.pid;
    assert.ok(pid, `${keeper} runs`);
    process.kill(pid, "SIGSTOP");
    // What was sent to the keeper itself fails with it; what others handed on waits.
    await until(
      async () => (await order("meanwhile")).ok,
      () => "the order is confirmed",
      30_000,
    );
    const orders = (await (await fetch(`${address}/api/orders`)).json()) as readonly Order[];
    assert.deepEqual(
      orders.map(({ key }) => key),
      ["meanwhile", "before"],
    );
  });
});

/** Somebody with two lamps in the cart, who orders them under a key. */
async function customer(address: string): Promise<(key: string) => Promise<Response>> {
  const cart = await fetch(`${address}/api/cart`, {
    method: "POST",
    body: JSON.stringify({ id: "lamp", quantity: 2 }),
  });
  const cookie = (cart.headers.get("set-cookie") ?? "").split(";")[0] ?? "";
  return (key) =>
    fetch(`${address}/api/orders`, {
      method: "POST",
      headers: { cookie },
      body: JSON.stringify({ key }),
    });
}

async function openShop(t: TestContext) {
  const nines = await createNines(t);
  cpSync(example, nines.folder, { recursive: true, filter: (path) => !path.includes(".nines") });
  // The copy finds `nines/journal` as an application does that has Nines installed.
  mkdirSync(join(nines.folder, "node_modules"));
  symlinkSync(root, join(nines.folder, "node_modules", "nines"));
  const text = readFileSync(nines.file, "utf8");
  assert.ok(text.includes("address: :8080"));
  writeFileSync(nines.file, text.replace("address: :8080", `address: 127.0.0.1:${nines.port}`));
  await nines.up();
  return { nines, address: `http://127.0.0.1:${nines.port}` };
}
