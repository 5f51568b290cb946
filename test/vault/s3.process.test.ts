// A bucket as a target when the store, the network or the credentials are not as one would wish:
// what is tried again, what is refused, and in which words.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { createPrng } from "../../src/core/base/prng.ts";
import { withoutRemoval } from "../../src/control/backup/append-only.ts";
import { openVault, prune, runBackup, verify } from "../../src/control/backup/operations.ts";
import {
  master,
  newDisks,
  noise,
  settings,
  TestSource,
  TestWorld,
  treeOf,
} from "../../src/control/backup/vault.fixture.ts";
import type { Clock } from "../../src/ports/clock.ts";
import { type Target, TargetError } from "../../src/ports/target.ts";
import { createTargets } from "../../src/program/backup/targets.ts";
import { createS3Target, type S3TargetOptions } from "../../src/runtime/s3-target.ts";
import { isKind } from "../conformance/target.ts";
import { owner, type S3Store, startS3Store, writer } from "./s3-store.fixture.ts";

const program = join(import.meta.dirname, "..", "..", "src", "program", "main.js");
const timeoutMs = 60_000;
const bytes = Uint8Array.of(1, 2, 3);

/** Pauses are over at once and are written down; the deadline passes when it is told to. */
class PatientClock implements Clock {
  readonly pauses: number[] = [];
  #nowMs = 0;
  #deadlines: (() => void)[] = [];

  monotonicMs(): number {
    return this.#nowMs;
  }

  wallMs(): number {
    return Date.now();
  }

  after(delayMs: number, run: () => void): Disposable {
    if (delayMs === timeoutMs) this.#deadlines.push(run);
    else {
      this.pauses.push(delayMs);
      this.#nowMs += delayMs;
      queueMicrotask(run);
    }
    return { [Symbol.dispose]: () => {} };
  }

  passDeadlines(): void {
    for (const run of this.#deadlines.splice(0)) run();
  }
}

/** Time passes when it is told to; what is due is run in its order. */
class SteppedClock implements Clock {
  #nowMs = 0;
  readonly #timers = new Set<{ readonly dueMs: number; readonly run: () => void }>();

  monotonicMs(): number {
    return this.#nowMs;
  }

  wallMs(): number {
    return Date.now();
  }

  after(delayMs: number, run: () => void): Disposable {
    const timer = { dueMs: this.#nowMs + delayMs, run };
    this.#timers.add(timer);
    return { [Symbol.dispose]: () => void this.#timers.delete(timer) };
  }

  pass(ms: number): void {
    const untilMs = this.#nowMs + ms;
    for (;;) {
      const [next] = [...this.#timers].sort((a, b) => a.dueMs - b.dueMs);
      if (next === undefined || next.dueMs > untilMs) break;
      this.#timers.delete(next);
      this.#nowMs = next.dueMs;
      next.run();
    }
    this.#nowMs = untilMs;
  }
}

function targetOf(
  store: S3Store,
  clock: Clock,
  other: Partial<S3TargetOptions> = {},
  place: Partial<S3TargetOptions["place"]> = {},
): Target {
  const { endpoint, bucket, region } = store;
  return createS3Target({
    name: "cloud",
    domain: "cloud",
    prefix: "shop",
    place: { endpoint, bucket, region, virtualHost: false, ...place },
    credentials: owner,
    clock,
    random: createPrng(1),
    timeoutMs,
    ...other,
  });
}

async function failureOf(call: Promise<unknown>): Promise<TargetError> {
  const failure = await call.then(
    () => assert.fail("it was done"),
    (error: unknown) => error,
  );
  assert.ok(failure instanceof TargetError, String(failure));
  return failure;
}

describe("a store that is busy or ill", () => {
  it("is asked again, at growing distances, and no sooner than it wants", async () => {
    await using store = await startS3Store();
    const clock = new PatientClock();
    const slowDown = "<Error><Code>SlowDown</Code><Message>Please.</Message></Error>";
    store.trouble = ({ number }) =>
      number < 4 ? { status: 503, headers: { "retry-after": "2" }, body: slowDown } : undefined;
    await targetOf(store, clock).put("pack/0a", [bytes]);
    assert.equal(store.requests.length, 4);
    assert.ok(clock.pauses.every((pauseMs) => pauseMs >= 2_000));
    assert.deepEqual(store.objects.get("shop/pack/0a"), bytes);
  });

  it("is given up after five attempts, and its word is passed on", async () => {
    await using store = await startS3Store();
    const body = "<Error><Code>SlowDown</Code><Message>Reduce your rate.</Message></Error>";
    store.trouble = () => ({ status: 503, body });
    const failure = await failureOf(targetOf(store, new PatientClock()).put("pack/0a", [bytes]));
    const expected =
      "Target cloud could not put pack/0a: the store answers 503 SlowDown: Reduce your rate";
    assert.equal(failure.message, expected);
    assert.equal(failure.kind, "unreachable");
    assert.equal(store.requests.length, 5);
  });

  it("that cuts its answers off is asked again", async () => {
    await using store = await startS3Store();
    store.objects.set("shop/pack/0a", bytes);
    store.trouble = ({ number }) => (number < 3 ? "cut" : undefined);
    const target = targetOf(store, new PatientClock());
    assert.deepEqual(Buffer.from(await target.read("pack/0a", 0, 10)), Buffer.from(bytes));
    assert.equal(store.requests.length, 3);
  });

  it("that never answers costs one deadline", async () => {
    await using store = await startS3Store();
    const clock = new PatientClock();
    store.trouble = () => {
      setImmediate(() => clock.passDeadlines());
      return "hang";
    };
    const failure = await failureOf(targetOf(store, clock).list("pack", ""));
    assert.equal(failure.message, "Target cloud could not list pack within 60 s");
    assert.equal(failure.kind, "timeout");
  });

  it("to which a put is slow is still read from, by the deadlines of a run", async (t) => {
    await using store = await startS3Store();
    store.objects.set("shop/pack/0b", bytes);
    const folder = mkdtempSync(join(tmpdir(), "nines-s3-"));
    t.after(() => rmSync(folder, { recursive: true }));
    const credentialsFile = join(folder, "key");
    const { accessKeyId, secretAccessKey } = owner;
    const lines = `aws_access_key_id = ${accessKeyId}\naws_secret_access_key = ${secretAccessKey}\n`;
    writeFileSync(credentialsFile, lines, { mode: 0o600 });
    const { endpoint, bucket, region } = store;
    const where = { endpoint, bucket, region, virtualHost: false, prefix: "shop" };
    const place = { kind: "bucket", ...where, credentialsFile } as const;
    const about = { name: "cloud", domain: "cloud", retire: false, appendOnly: false };
    const clock = new SteppedClock();
    const [target = assert.fail()] = await createTargets([{ ...about, place }], clock);
    store.trouble = ({ method }) => {
      if (method !== "PUT") return undefined;
      setImmediate(() => clock.pass(120_000));
      return "hang";
    };
    const failure = await failureOf(target.put("pack/0a", [bytes]));
    assert.equal(failure.message, "Target cloud could not put pack/0a within 120 s");
    assert.deepEqual(Buffer.from(await target.read("pack/0b", 0, 10)), Buffer.from(bytes));
    await target.close();
  });

  it("that nobody runs is unreachable, and why is said", async () => {
    const store = await startS3Store();
    await store[Symbol.asyncDispose]();
    const failure = await failureOf(targetOf(store, new PatientClock()).list("pack", ""));
    assert.equal(failure.kind, "unreachable");
    assert.match(failure.message, /could not list pack: .*ECONNREFUSED/);
  });

  it("that is gone with its bucket has removed nothing; an object that is gone is removed", async () => {
    await using store = await startS3Store();
    const target = targetOf(store, new PatientClock());
    const answer = (code: string) => ({ status: 404, body: `<Error><Code>${code}</Code></Error>` });
    store.trouble = () => answer("NoSuchBucket");
    assert.equal((await failureOf(target.remove("pack/0a"))).kind, "unreachable");
    store.trouble = () => ({ status: 404, body: "<html>the page of a proxy</html>" });
    await failureOf(target.remove("pack/0a"));
    store.trouble = () => answer("NoSuchKey");
    await target.remove("pack/0a");
  });

  it("that is full says so, and is not asked again", async () => {
    await using store = await startS3Store();
    store.trouble = () => ({ status: 507, body: "<Error><Code>XMinioStorageFull</Code></Error>" });
    await assert.rejects(
      targetOf(store, new PatientClock()).put("pack/0a", [bytes]),
      isKind("full"),
    );
    assert.equal(store.requests.length, 1);
  });
});

describe("a store that lies", () => {
  it("can send a body without end: no more is read than was asked for", async () => {
    await using store = await startS3Store();
    const target = targetOf(store, new PatientClock(), {
      fetch: async () => {
        const pull = (flow: ReadableStreamDefaultController) => flow.enqueue(new Uint8Array(1_000));
        const headers = { "content-length": String(2 ** 40) };
        return new Response(new ReadableStream({ pull }), { status: 206, headers });
      },
    });
    assert.equal((await target.read("pack/0a", 0, 5_000)).length, 5_000);
  });

  it("cannot lead a listing in circles", async () => {
    await using store = await startS3Store();
    const body =
      "<ListBucketResult><IsTruncated>true</IsTruncated>" +
      "<Contents><Key>shop/pack/0a</Key></Contents></ListBucketResult>";
    store.trouble = () => ({ status: 200, body });
    const failure = await failureOf(targetOf(store, new PatientClock()).list("pack", ""));
    assert.equal(
      failure.message,
      "Target cloud could not list pack: the store's list leads nowhere",
    );
  });

  it("cannot pass off another page, or half a list, as all that there is", async () => {
    await using store = await startS3Store();
    for (const body of ["<html>Welcome</html>", "", "<ListBucketResult><Contents>"]) {
      store.trouble = () => ({ status: 200, body });
      const failure = await failureOf(targetOf(store, new PatientClock()).list("pack", ""));
      assert.equal(failure.message, "Target cloud could not list pack: the store's list is none");
    }
  });

  it("cannot list without end what is none of ours", async () => {
    await using store = await startS3Store();
    const clock = new PatientClock();
    clock.monotonicMs = () => 20_000 * store.requests.length;
    store.trouble = ({ number }) => ({
      status: number < 10 ? 200 : 403,
      body:
        "<ListBucketResult><IsTruncated>true</IsTruncated>" +
        `<Contents><Key>shop/pack/x${number}</Key></Contents></ListBucketResult>`,
    });
    const failure = await failureOf(targetOf(store, clock).list("pack", ""));
    assert.equal(failure.message, "Target cloud could not list pack within 60 s");
    assert.equal(failure.kind, "timeout");
  });

  it("cannot name objects of other places or kinds", async () => {
    await using store = await startS3Store();
    const keys = ["shop/pack/../../x", "shop/pack/0a/b", "other/pack/0a", "shop/pack/0b"];
    const contents = keys.map((key) => `<Contents><Key>${key}</Key></Contents>`).join("");
    store.trouble = () => ({
      status: 200,
      body: `<ListBucketResult>${contents}</ListBucketResult>`,
    });
    assert.deepEqual(await targetOf(store, new PatientClock()).list("pack", ""), ["pack/0b"]);
  });

  it("or a network that changes a body is found by the store", async () => {
    await using store = await startS3Store();
    const target = targetOf(store, new PatientClock(), {
      fetch: (url, init) => fetch(url, { ...init, body: Uint8Array.of(1, 2, 4) }),
    });
    const failure = await failureOf(target.put("pack/0a", [bytes]));
    assert.match(failure.message, /400 XAmzContentSHA256Mismatch/);
    assert.equal(store.objects.size, 0);
  });
});

it("a part of an object is asked for as a part, and one beyond its end is empty", async () => {
  await using store = await startS3Store();
  store.objects.set("shop/pack/0a", bytes);
  const answers: number[] = [];
  const target = targetOf(store, new PatientClock(), {
    fetch: async (url, init) => {
      const answer = await fetch(url, init);
      answers.push(answer.status);
      return answer;
    },
  });
  assert.deepEqual(Buffer.from(await target.read("pack/0a", 1, 1)), Buffer.of(2));
  assert.equal((await target.read("pack/0a", 3, 9)).length, 0);
  assert.deepEqual(answers, [206, 416]);
});

describe("a store that refuses", () => {
  const cases: Readonly<
    Record<string, [Partial<S3TargetOptions>, Partial<S3TargetOptions["place"]>, RegExp]>
  > = {
    "another secret": [
      { credentials: { ...owner, secretAccessKey: "of somebody else" } },
      {},
      /403 SignatureDoesNotMatch: No \(the secret key is not this access key's\)$/,
    ],
    "a key it does not know": [
      { credentials: { ...owner, accessKeyId: "stranger" } },
      {},
      /403 InvalidAccessKeyId/,
    ],
    "another region": [{}, { region: "eu-test-2" }, /400 AuthorizationHeaderMalformed/],
    "a bucket that is not there": [{}, { bucket: "none" }, /404 NoSuchBucket/],
  };
  for (const [what, [options, place, expected]] of Object.entries(cases)) {
    it(`${what}: is asked once, and no secret is in its words`, async () => {
      await using store = await startS3Store();
      const failure = await failureOf(
        targetOf(store, new PatientClock(), options, place).list("pack", ""),
      );
      assert.match(failure.message, expected);
      assert.ok(!failure.message.includes(owner.secretAccessKey));
      assert.equal(store.requests.length, 1);
    });
  }

  it("a clock that is wrong: by how much is said", async () => {
    await using store = await startS3Store();
    store.aheadMs = 3_600_000;
    const failure = await failureOf(targetOf(store, new PatientClock()).list("pack", ""));
    assert.match(failure.message, /clock is (3599|360[01]) s behind of the store's; set it right/);
  });

  it("a bucket of another region: which one is said", async () => {
    await using store = await startS3Store();
    const headers = { "x-amz-bucket-region": "eu-test-7", location: "http://127.0.0.1:1/" };
    store.trouble = () => ({ status: 301, headers });
    const failure = await failureOf(targetOf(store, new PatientClock()).list("pack", ""));
    assert.match(
      failure.message,
      /\(the bucket is in region eu-test-7, and the file says eu-test-1\)/,
    );
  });

  it("to remove or replace, for a writer's credentials, and takes all that is new", async () => {
    await using store = await startS3Store();
    const target = targetOf(store, new PatientClock(), { credentials: writer });
    await target.put("pack/0a", [bytes]);
    await assert.rejects(target.put("pack/0a", [bytes]), isKind("not-allowed"));
    await assert.rejects(target.remove("pack/0a"), isKind("not-allowed"));
    assert.deepEqual(await target.list("pack", ""), ["pack/0a"]);
  });
});

it("a bucket may be named by the host", async () => {
  await using store = await startS3Store();
  const hosts: string[] = [];
  const target = targetOf(
    store,
    new PatientClock(),
    {
      fetch: (url, init) => {
        const asked = new URL(String(url));
        hosts.push(asked.host);
        return fetchFrom(store, asked, init);
      },
    },
    { endpoint: "http://s3.example", virtualHost: true },
  );
  await target.put("pack/0a", [bytes]);
  assert.deepEqual(await target.list("pack", ""), ["pack/0a"]);
  assert.deepEqual([...new Set(hosts)], ["vaults.s3.example"]);
});

it("a prune with a writer's credentials destroys nothing; with the owner's it goes on", async () => {
  await using store = await startS3Store();
  const base = new TestWorld(await newDisks(2), 1);
  const worldOf = (credentials: typeof owner, wrap = (target: Target) => target) => {
    const bucket = targetOf(store, new PatientClock(), { credentials });
    return { ...base, targets: [...base.targets, wrap(bucket)] };
  };
  const options = { master, service: "shop", subjectOf: () => undefined };
  const pruning = { master, keep: { last: 1, hourly: 0, daily: 0, weekly: 0 }, forget: [] };
  const source = new TestSource("data", { a: noise(1, 3_000) });
  await runBackup(worldOf(writer), settings, source, options);
  source.tree = { b: noise(2, 3_000) };
  await runBackup(worldOf(writer), settings, source, options);
  assert.equal((await prune(worldOf(writer), settings, pruning)).condemnedSnapshots.length, 1);
  base.clock.nowMs += settings.graceMs;
  const before = store.objects.size;
  const told = await prune(worldOf(writer, withoutRemoval), settings, pruning);
  assert.match(told.sentence, /; 1 record waits for a prune that may remove from cloud\.$/);
  const blind = prune(worldOf(writer), settings, pruning);
  await assert.rejects(blind, /The snapshot .* stays on cloud: .* 403 AccessDenied/);
  assert.ok(store.objects.size >= before);
  assert.equal((await prune(worldOf(owner), settings, pruning)).destroyedSnapshots, 1);
  const vault = await openVault(worldOf(owner), settings, {
    master,
    create: false,
    withIndex: true,
  });
  assert.equal((await verify(vault)).missingCount, 0);
  assert.deepEqual(await treeOf(vault, vault.snapshots[0] ?? assert.fail()), source.tree);
});

describe("nines backup with a bucket", () => {
  it("backs up, restores without a disk, and says no secret", async (t) => {
    await using store = await startS3Store();
    const folder = mkdtempSync(join(tmpdir(), "nines-s3-"));
    t.after(() => rmSync(folder, { recursive: true, force: true }));
    for (const name of ["a", "b", "data"]) mkdirSync(join(folder, name));
    writeFileSync(join(folder, "data", "text"), "as it was");
    writeFileSync(join(folder, "key"), "0f".repeat(32));
    writeFileSync(join(folder, "nines.yaml"), configText(store));
    const nines = (words: readonly string[], user: typeof owner) => {
      const lines = `aws_access_key_id = ${user.accessKeyId}\naws_secret_access_key=${user.secretAccessKey}\n`;
      writeFileSync(join(folder, "cloud.key"), `[default]\n${lines}`, { mode: 0o600 });
      return run(folder, ["backup", ...words]);
    };
    await nines(["run"], writer);
    assert.ok([...store.objects.keys()].some((key) => key.startsWith("shop/pack/")));
    const wrong = { ...writer, secretAccessKey: "of-somebody-else" };
    const told = await nines(["list"], wrong).catch(String);
    assert.match(told, /ended with 1: .*\nTarget cloud is away: .* 403 SignatureDoesNotMatch/);
    assert.ok(!told.includes(wrong.secretAccessKey));
    rmSync(join(folder, "a"), { recursive: true });
    await nines(["restore", "latest", "out"], writer);
    assert.equal(readFileSync(join(folder, "out", "text"), "utf8"), "as it was");
  });
});

function configText({ endpoint, bucket, region }: S3Store): string {
  return `services: { web: { command: sleep 1000 } }
backup:
  keyCommand: [cat, key]
  targets:
    a: { path: a }
    b: { path: b }
    cloud:
      s3: { endpoint: "${endpoint}", bucket: ${bucket}, region: ${region}, prefix: shop, credentialsFile: cloud.key }
  data: 2
  parity: 1
  sources: { shop: { path: data } }
`;
}

/** Runs the built program; both of its streams. The store answers meanwhile. */
function run(folder: string, words: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const limits = { cwd: folder, timeout: 60_000 };
    const child = execFile(process.execPath, [program, ...words], limits, (_, out, complaints) => {
      if (child.exitCode === 0) resolve(out + complaints);
      else
        reject(new Error(`${words.join(" ")} ended with ${child.exitCode}: ${out}${complaints}`));
    });
  });
}

/** As if the host's name led to the store: `fetch` lets nobody write the host header. */
function fetchFrom({ endpoint }: S3Store, asked: URL, init: RequestInit = {}): Promise<Response> {
  const headers = { ...(init.headers as Record<string, string>), host: asked.host };
  const sent = new URL(`${asked.pathname}${asked.search}`, endpoint);
  return new Promise((resolve, reject) => {
    const asking = request(sent, { method: init.method ?? "GET", headers }, (answer) => {
      const pieces: Buffer[] = [];
      answer.on("data", (piece: Buffer) => pieces.push(piece));
      answer.on("end", () =>
        resolve(new Response(Buffer.concat(pieces), { status: answer.statusCode ?? 500 })),
      );
    });
    asking.once("error", reject);
    asking.end(init.body);
  });
}
