// The reference pages of what the program offers: the command line, the admin API, the metrics.
// Each is rendered from the table that the program itself works by; scripts/docs.ts writes them.

import type { Command, Option } from "commander";
import { z } from "zod";
import { accessFields } from "../gateway/engine/access-line.ts";
import { type Endpoint, endpoints } from "./admin/endpoints.ts";
import { describeApi } from "./admin/openapi.ts";
import { metrics } from "./admin/metrics.ts";
import type { Actions } from "./cli/actions.ts";
import { buildCommandLine, leavesOf, overNetwork, pathOf } from "./cli/command-line.ts";
import { exitCodeNotes, exitCodes } from "./cli/exit-codes.ts";

const generated = "This page is generated from the code.";

export function cliReference(): string {
  // Nothing is run: the commands are only described.
  const nines = buildCommandLine({} as Actions, "", () => undefined);
  const codes = exitCodes.map(([code, meaning]) => `| ${code} | ${meaning} |`);
  return `# The command line

${nines.description()}

${generated} \`nines help COMMAND\` prints the same.

| exit code | meaning |
|---|---|
${codes.join("\n")}

## Over the network

${nines.options
  .filter(({ long }) => long === "--admin" || long === "--token-file")
  .map((option) => `- \`${option.flags}\`: ${describe(option)}`)
  .join("\n")}

With them these ask a Nines elsewhere, through its [admin API on TCP](admin-api.md#on-tcp):
${overNetwork.map((path) => `\`${path}\``).join(", ")}. A file that is named
is then one of that machine. The token is taken from the environment or from a file of this user's
alone, and never from the command line, which every user of the machine can read.

    NINES_ADMIN_TOKEN=$(cat admin.token) nines --admin http://127.0.0.1:9190 status
    nines status --admin https://nines.example.com --token-file admin.token

${leavesOf(nines).map(commandSection).join("\n")}`;
}

function commandSection(command: Command): string {
  const parts = [`## nines ${pathOf(command)}`, capitalised(command.summary())];
  if (command.description() !== "") parts.push(command.description());
  parts.push(`    nines ${pathOf(command)} ${command.usage()}`);
  const rows = [
    ...command.registeredArguments.map((argument) => {
      const name = argument.required ? `<${argument.name()}>` : `[${argument.name()}]`;
      return [`\`${name}\``, argument.description] as const;
    }),
    ...command.options.map((option) => [`\`${option.flags}\``, describe(option)] as const),
  ].filter(([, meaning]) => meaning !== "");
  if (rows.length > 0) {
    parts.push(`| argument or option | meaning |\n|---|---|\n${rows.map(tableRow).join("\n")}`);
  }
  const notes = exitCodeNotes[pathOf(command)] ?? [];
  if (notes.length > 0) {
    const codes = notes.map(([code, meaning]) => tableRow([String(code), meaning]));
    parts.push(`| exit code | here |\n|---|---|\n${codes.join("\n")}`);
  }
  return `${parts.join("\n\n")}\n`;
}

function describe({ description, defaultValue, defaultValueDescription }: Option) {
  const shown = defaultValueDescription ?? defaultValue;
  return shown === undefined ? description : `${description} (default: ${String(shown)})`;
}

export function adminReference(): string {
  return `# The admin API

JSON over HTTP on a unix socket, \`run/admin.sock\` in the state directory, which only its owner can open.
It is what the command line itself uses.

    curl --unix-socket .nines/run/admin.sock http://nines/v1/status
    curl --unix-socket .nines/run/admin.sock http://nines/v1/scale -d '{"service":"web","replicas":5}'

A refusal is \`{ "error": { "code", "message", "remedy", "retriable" } }\`; [errors](errors.md) lists the
codes. Heads over 8 KiB, bodies over 64 KiB, heads that take over 5 s and requests that take over
10 s to arrive are refused. Of more than 64 connections at once the oldest that has not yet asked
what it may ask is closed, or the new one when there is none. What \`/v1/status\` answers is described in [status](status.md);
[openapi.json](openapi.json), which \`GET /v1/openapi.json\` answers too, describes every endpoint, field by
field (OpenAPI 3.1).

## On TCP

With \`admin: { listen: 127.0.0.1:9190, tokenFile: admin.token }\` in the file ([configuration](config.md)) the
same is answered on a TCP port to those who send the file's token; the token of \`readTokenFile\` may only look.

    openssl rand -hex 32 > admin.token && chmod 600 admin.token && nines apply
    curl -H "Authorization: Bearer $(cat admin.token)" http://127.0.0.1:9190/metrics

The files are read again at each apply; an event stream ends with the token that opened it.
A request without the right token is answered 401 after a second; more than eight of those at
once 429. Host must be an address, \`localhost\` or one of \`admin.hosts\`; an Origin other than its own is refused (403), and
an order that is not \`application/json\` too (415). An address that other machines can reach needs
\`allowRemote: true\`: the token then crosses the network as it is, so put a TLS proxy before it. When it cannot
listen (the port is taken, a token's file is not private) an event says why, Nines goes on,
and it is tried again
each second. Prometheus:

    scrape_configs:
      - job_name: nines
        authorization: { credentials_file: /srv/shop/look.token }
        static_configs: [{ targets: ["127.0.0.1:9190"] }]

## Following events

\`GET /v1/events/stream\` answers with server-sent events: an EventSource reads them, and so does \`curl -N\`.
The data of each is the event as JSON, its \`id\` the event's number. Numbers grow by one, over restarts too.
A follower that was cut off asks again with the last number as \`Last-Event-ID\` (an EventSource does so by
itself, after a second) or as \`after\`, and goes on where it was. When events between are no longer kept (the
latest 1,000 are), or the number is of another state directory, an event named \`gap\` comes first, with
\`{"after": …, "next": …}\`: the number that was asked for and that of the next event. A follower that leaves
1 MiB unread is cut off. A comment line each 15 s keeps the connection alive.

    curl -N --unix-socket .nines/run/admin.sock http://nines/v1/events/stream

## Endpoints

${generated}

| endpoint | what it does | input |
|---|---|---|
${endpoints.map(endpointRow).join("\n")}
`;
}

function endpointRow({ method, path, summary, input }: Endpoint): string {
  const { properties = {}, required = [] } = z.toJSONSchema(input, { io: "input" });
  const fields = Object.entries(properties).map(([name, property]) => {
    const type = typeof property === "object" ? property.type : undefined;
    const optional = required.includes(name) ? "" : ", optional";
    return `\`${name}\` (${String(type ?? "any")}${optional})`;
  });
  const where = method === "GET" ? "query" : "body";
  const shown = fields.length === 0 ? "none" : `${where}: ${fields.join(", ")}`;
  return tableRow([`\`${method} ${path}\``, summary, shown]);
}

/** The document that GET /v1/openapi.json answers. */
export function openApiReference(): string {
  return `${JSON.stringify(describeApi(endpoints), undefined, 2)}\n`;
}

export function metricsReference(): string {
  const rows = metrics.map(({ name, kind, labels, help }) => {
    const shown = labels.map((label) => `\`${label}\``).join(", ") || "none";
    return tableRow([`\`${name}\``, kind, shown, help]);
  });
  return `# Metrics

\`nines metrics\`, and GET \`/metrics\` on the [admin socket](admin-api.md) and its
[TCP port](admin-api.md#on-tcp), print these in Prometheus' text format.

Workers count, in plain numbers that they keep anyway; control adds up what they report four times a
second. No value of a label comes from a client: there are as many series as routes, services,
instances, workers and reasons make.

- \`route\` is written as a request line is: \`shop.example.com/api/*\` is everything below \`/api\`
  of one host, \`POST /upload\` one method and one whole path, \`tcp 0.0.0.0:5432\` a tcp listener.
  Names of header conditions follow; routes that differ in nothing else are numbered.
- \`reason\` is a code of the [catalogue](errors.md#answers-that-the-gateway-gives-by-itself). Its
  series begins when it first happens.
- \`code\` is the class of a status: \`2xx\`.

**Counters do not go back** when a worker ends or is replaced, nor when control does: before a
number is told it is kept on disk, with what ended workers had counted, and another control goes on
from there. They begin anew when the whole gateway has ended and control with it, and with an
instance, service or route that leaves the file and comes back. What a worker that is killed had
counted in its last quarter of a second is lost; nobody had been told of it.

**Histograms** of requests have a bucket each power of two, from 125 us to 65.5 s, those of
instances each power of four, from 250 us to 65.5 s. What is counted of a bucket took less than its
limit; workers count eight times as finely, for the quantiles of \`nines status\`.

${generated}

| metric | kind | labels | meaning |
|---|---|---|---|
${rows.join("\n")}
`;
}

export function accessLogReference(): string {
  const rows = Object.entries(accessFields).map(([name, meaning]) =>
    tableRow([`\`${name}\``, meaning]),
  );
  return `# The access log

    gateway:
      accessLog: { format: json, sample: 10% }

It is off unless the file has \`gateway.accessLog\` ([configuration](config.md)); \`accessLog: {}\`
is on with every default: JSON, all requests, \`logs/access.log\` in the state directory, 64 MiB and
three older files.

- **A line for each request**, when it ends; for an upgraded or tcp connection when that ends. With
  a sample of the requests that went well, all that did not are told still: 5xx, refused, broken
  off.
- **No secret**: Authorization, cookies and bodies are never written, queries only where \`query\`
  says so. What a client sent is escaped, so that it cannot write a line of its own.
- **Nobody waits for the disk.** A worker gathers lines and writes them together, ten times a second
  or more. A disk that is slow, full or gone costs lines: past 4 MiB that wait they are dropped,
  counted (\`nines_access_log_lost_lines_total\`) and said in an event. A worker that is killed
  loses what it had gathered, a tenth of a second.
- **It is bounded.** The gateway's parent renames a file that is larger than \`rotateAt\` to
  \`FILE.1\`, and the workers begin another: no line is lost over it, and none needs control.

${generated}

## As JSON

| field | meaning |
|---|---|
${rows.join("\n")}

\`reason\` and \`state\` are those of the
[catalogue](errors.md#answers-that-the-gateway-gives-by-itself).

## In combined form

Apache's and nginx', with UTC times, \`-\` for the user, 499 for a client that went away before an
answer began (as nginx says), and 000 where nothing was answered.
`;
}

function tableRow(cells: readonly string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
}

function capitalised(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}
