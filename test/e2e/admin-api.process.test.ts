// That the OpenAPI document says what a real Nines answers, endpoint by endpoint: the document is
// asked of it, each of its operations is called, and every answer is held against its schema.

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { type SchemaDocument, violations } from "../json-schema.fixture.ts";
import { createNines, freePort, type Nines } from "./nines.fixture.ts";

type Schema = Readonly<Record<string, unknown>>;
type Method = "get" | "post";

interface Operation {
  readonly requestBody?: { readonly content: Readonly<Record<string, { schema: Schema }>> };
  readonly responses: Readonly<
    Record<string, { readonly content: Readonly<Record<string, { schema: Schema }>> }>
  >;
}

interface ApiDocument extends SchemaDocument {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Partial<Record<Method, Operation>>>>>;
}

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly text: string;
}

/** How each endpoint that takes something is called: bodies that are right. */
const right: Readonly<Record<string, readonly unknown[]>> = {
  "/v1/maintenance": [{ on: true, service: "db" }, { on: false }],
  "/v1/deploy": [{ service: "web" }],
  "/v1/rollback": [],
  "/v1/failover": [{ service: "db" }],
  // Refused while the one before it is under way; failover's own test gives it time.
  "/v1/failback": [],
  "/v1/apply": [{}],
  "/v1/scale": [{ service: "web", replicas: 3 }],
  "/v1/restart": [{ target: "web-1" }],
  "/v1/drain": [{ instance: "web-2" }],
  "/v1/undrain": [{ instance: "web-2" }],
  "/v1/weight": [
    { instance: "web-2", weight: 5 },
    { instance: "web-2", weight: "50%" },
    { instance: "web-2", weight: "auto" },
  ],
  "/v1/force": [
    { instance: "web-2", to: "up" },
    { instance: "web-2", to: "auto" },
  ],
  "/v1/close": [{ instance: "web-2" }],
  "/v1/endpoints/add": [{ service: "cache", address: "127.0.0.1:2" }],
  "/v1/endpoints/remove": [{ instance: "cache-127.0.0.1:2" }],
  "/v1/gateway/restart": [{}],
  "/v1/stop": [{}],
  // The admin socket closes with its control; another test restarts it.
  "/v1/control/restart": [],
};
const queries: Readonly<Record<string, string>> = {
  "/v1/failover/explain": "?service=db",
  "/v1/deploys": "?service=web",
  "/v1/incidents": "?last=5",
};
const withPrimary =
  "  db: { command: node service.mjs, replicas: 2, failover: { mode: primary-standby } }\n" +
  '  cache: { endpoints: ["127.0.0.1:1"] }';
const wrong: readonly (readonly [string, unknown])[] = [
  ["/v1/scale", { service: "nobody", replicas: 1 }],
  ["/v1/scale", { service: "web", replicas: 99 }],
  ["/v1/weight", { instance: "web-1", weight: 0 }],
  ["/v1/weight", { instance: "web-1", weight: "0%" }],
  ["/v1/endpoints/add", { service: "cache", address: "10.0.0.1" }],
  ["/v1/endpoints/remove", { instance: "web-1" }],
  ["/v1/drain", { instance: "nobody" }],
  ["/v1/drain", { instance: "web-1", force: true }],
  ["/v1/apply", { file: "/nowhere/nines.yaml" }],
  ["/v1/nothing", {}],
  ["/v1/rollback", { service: "web", version: 99 }],
  ["/v1/failover", { service: "web" }],
  ["/v1/failover", { service: "db", to: "web-1" }],
  ["/v1/maintenance", { on: true, service: "web" }],
  ["/v1/failback", { service: "nobody" }],
];
/** This one is the last. */
const ending = "/v1/stop";

describe("the OpenAPI document of a running Nines", () => {
  it("describes every answer that its endpoints give", async (t) => {
    const nines = await createNines(t);
    nines.write({ more: withPrimary });
    await nines.up();
    const document = await documentOf(nines);
    assert.equal(document.openapi, "3.1.0");
    for (const [path, operations] of Object.entries(document.paths)) {
      if (path === ending) continue;
      for (const method of Object.keys(operations) as Method[]) {
        const bodies = method === "get" ? [undefined] : right[path];
        assert.ok(bodies !== undefined, `this test does not know how to call ${path}`);
        for (const body of bodies) await hold(t, nines, document, method, path, body);
      }
    }
    for (const [path, body] of wrong) {
      const answer = await ask(nines, "post", path, body);
      assert.ok(answer.status >= 400 && answer.status < 500, `${path}: ${answer.text}`);
      const schema = { $ref: "#/components/schemas/Refused" };
      assert.deepEqual(violations(document, schema, JSON.parse(answer.text)), [], path);
    }
    await hold(t, nines, document, "post", ending, {});
  });

  it("describes the answers of a Nines that has no gateway and endpoints only", async (t) => {
    const nines = await createNines(t);
    nines.writeText(`services: { far: { endpoints: ["127.0.0.1:${nines.port}"] } }\n`);
    await nines.up();
    const document = await documentOf(nines);
    for (const path of ["/v1/status", "/v1/table", "/v1/events", "/metrics"]) {
      await hold(t, nines, document, "get", path, undefined);
    }
  });
});

describe("the admin API on TCP", () => {
  it("comes and goes with the file, and answers who has its token", async (t) => {
    const nines = await createNines(t);
    await nines.up();
    const port = await freePort();
    const token = "0123456789abcdef0123456789abcdef";
    writeFileSync(join(nines.folder, "admin.token"), token, { mode: 0o600 });
    const listen = `127.0.0.1:${port}`;
    const text = readFileSync(nines.file, "utf8");
    nines.writeText(`${text}\nadmin: { listen: "${listen}", tokenFile: admin.token }\n`);
    const applied = await nines.run("apply");
    assert.match(applied.stdout, /admin has changed/);
    const headers = { authorization: `Bearer ${token}` };
    const asked = await fetch(`http://${listen}/v1/status`, { headers });
    assert.equal(asked.status, 200);
    assert.equal(((await asked.json()) as { control: { state: string } }).control.state, "running");
    const refused = await fetch(`http://${listen}/v1/status`);
    assert.equal(refused.status, 401);
    assert.equal(refused.headers.get("www-authenticate"), 'Bearer, Basic realm="Nines"');
    const { error } = (await refused.json()) as { error: { code: string } };
    assert.equal(error.code, "NINES_ADMIN_TOKEN");
    nines.writeText(text);
    await nines.run("apply");
    await assert.rejects(fetch(`http://${listen}/v1/status`, { headers }));
  });
});

async function documentOf(nines: Nines): Promise<ApiDocument> {
  const { text } = await ask(nines, "get", "/v1/openapi.json", undefined);
  return JSON.parse(text) as ApiDocument;
}

/** Calls it, with what the document says may be sent, and judges the answer by the document. */
async function hold(
  t: TestContext,
  nines: Nines,
  document: ApiDocument,
  method: Method,
  path: string,
  body: unknown,
): Promise<void> {
  const operation = document.paths[path]?.[method];
  assert.ok(operation !== undefined, `${method} ${path} is in the document`);
  const asked = operation.requestBody?.content["application/json"];
  if (asked !== undefined) assert.deepEqual(violations(document, asked.schema, body), [], path);
  const answer = await ask(nines, method, path + (queries[path] ?? ""), body);
  assert.equal(answer.status, 200, `${path}: ${answer.text}`);
  const described = operation.responses["200"]?.content[answer.type];
  assert.ok(described !== undefined, `${path} answers ${answer.type}`);
  const values = valuesOf(answer);
  assert.notEqual(values.length, 0, path);
  for (const value of values) {
    const found = violations(document, described.schema, value);
    assert.deepEqual(found, [], `${path}: ${JSON.stringify(value)}`);
    if (path !== "/v1/openapi.json") tamper(document, described.schema, value, path);
  }
  t.diagnostic(`${method} ${path}: as described`);
}

/** The test itself is tested: with one more field, or one less, every object is refused. */
function tamper(document: ApiDocument, schema: Schema, value: unknown, path: string): void {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return;
  assert.notDeepEqual(violations(document, schema, { ...value, another: 1 }), [], path);
  const [first] = Object.keys(value);
  const { [first as never]: _, ...rest } = value as Record<string, unknown>;
  assert.notDeepEqual(violations(document, schema, rest), [], path);
}

function valuesOf({ type, text }: Answer): readonly unknown[] {
  if (/^text\/(plain|html|csv)$/.test(type)) return [text];
  if (type === "application/json") return [JSON.parse(text)];
  return [...text.matchAll(/^data: (.*)$/gm)].map(([, data]) => JSON.parse(data ?? "") as unknown);
}

const ANSWER_MS_MAX = 5000;

/** Of a stream, what comes until its first events are there. */
function ask(nines: Nines, method: Method, path: string, body: unknown): Promise<Answer> {
  const socketPath = join(nines.folder, ".nines", "run", "admin.sock");
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath, method, path, agent: false }, (response) => {
      const type = (response.headers["content-type"] ?? "").replace(/;.*/, "");
      let text = "";
      const give = () => resolve({ status: response.statusCode ?? 0, type, text });
      response.setEncoding("utf8").on("data", (part: string) => {
        text += part;
        if (type !== "text/event-stream" || !/^data: .*\n\n/m.test(text)) return;
        give();
        asked.destroy();
      });
      response.on("end", give);
      response.on("error", reject);
    });
    asked.setTimeout(ANSWER_MS_MAX, () => asked.destroy(new Error(`${path}: no answer`)));
    asked.on("error", reject);
    asked.end(body === undefined ? undefined : JSON.stringify(body));
  });
}
