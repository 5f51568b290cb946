// The reference pages of what the program offers: the command line, the admin API, the metrics.
// Each is rendered from the table that the program itself works by; scripts/docs.ts writes them.

import type { Command, Option } from "commander";
import { z } from "zod";
import { type Endpoint, endpoints } from "./admin/endpoints.ts";
import { describeApi } from "./admin/openapi.ts";
import { latencyMetric, metrics } from "./admin/metrics.ts";
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
  const rows = metrics.map(({ name, kind, help }) => tableRow([`\`${name}\``, kind, help]));
  const latency = tableRow([`\`${latencyMetric.name}\``, "histogram", latencyMetric.help]);
  return `# Metrics

\`nines metrics\`, and GET \`/metrics\` on the [admin socket](admin-api.md), print these in Prometheus' text
format. Labels are fixed: \`service\`, \`instance\`, \`code\` (the class of the status), \`worker\`, \`le\`,
\`version\`. Counters are totals of the gateway since this control started to hear it; a restarted control
starts from what the living workers have counted.

${generated}

| metric | kind | meaning |
|---|---|---|
${[...rows, latency].join("\n")}
`;
}

function tableRow(cells: readonly string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
}

function capitalised(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}
