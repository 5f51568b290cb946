// The tables of failover as a page and as text: what docs/reference/failover.md draws and `nines
// explain failover` prints, so that neither can say anything else than the code does.

import {
  type FailoverEventKind,
  type FailoverPhase,
  type FailoverRow,
  failoverEventKinds,
  failoverPhases,
  failoverTable,
  impossible,
  withoutEffect,
} from "./failover-table.ts";
import { presenceTable } from "./returns.ts";

const meaningOfPhase: Readonly<Record<FailoverPhase, string>> = {
  vacant: "Nobody takes traffic; requests wait in the gateway.",
  serving: "The primary takes traffic, the others stand by.",
  holding: "The same, and the preferred one is well again and waits for its place.",
  switching: "A planned move: the primary finishes what it has, new requests wait.",
  fencing: "The primary is taken out and cut off, and not every worker has said so yet.",
};

const meaningOfEvent: Readonly<Record<FailoverEventKind, string>> = {
  "primary-ended": "its process has ended: it can do nothing, for certain",
  "primary-failing": "something runs as the primary, and its checks fail",
  "primary-leaving": "the primary is drained by an operator, or is to be ended or restarted",
  candidate: "somebody is fit, and nothing can reach the one that was primary last",
  "preferred-fit": "the preferred one is fit, is not primary, and may come back by itself",
  "successor-lost": "who was chosen to take over is not fit any more",
  fenced: "no living worker sends to the primary or waits for an answer of it",
  deadline: "the deadline of the phase has passed",
  "order-failover": "`nines failover`",
  "order-failback": "`nines failback`",
};

const deadlineNames: Readonly<Record<FailoverRow["deadline"], string>> = {
  none: "",
  kept: "",
  hold: "`minimumHealthy`",
  drain: "`drain`",
  fence: "`fence`",
  again: "`fence`, 500 ms at least",
};

/** The moves between phases as a drawing that Markdown viewers render. */
function drawing(): string {
  const moves = failoverTable.filter(({ from, to }) => from !== to);
  const lines = moves.map(({ from, on, when, to }) => {
    const guard = when === undefined ? "" : ` [${when}]`;
    return `    ${from} --> ${to}: ${on}${guard}`;
  });
  return ["stateDiagram-v2", "    [*] --> fencing", ...lines].join("\n");
}

export function failoverReference(): string {
  return `# Who is primary

A \`primary-standby\` service is in one phase. What is so now is an event; it takes the service to the
next phase: the first row whose phase, event and condition fit. The sentence is what the log and \`nines
events\` say. \`nines explain failover\` prints this table, \`nines explain failover SERVICE\` what the
service would do now. This page is generated from the code; what stands behind it is told in
[internals/failover.md](../internals/failover.md).

\`\`\`mermaid
${drawing()}
\`\`\`

## Phases

| phase | meaning |
|---|---|
${failoverPhases.map((phase) => `| \`${phase}\` | ${meaningOfPhase[phase]} |`).join("\n")}

## Events

| event | meaning |
|---|---|
${failoverEventKinds.map((kind) => `| \`${kind}\` | ${meaningOfEvent[kind]} |`).join("\n")}

## What follows

The deadline is that of the next phase, a key of \`failover\` in the file.

| phase | event | if | next phase | does | deadline | says |
|---|---|---|---|---|---|---|
${failoverTable.map(tableRow).join("\n")}

## What changes nothing

| phase | events |
|---|---|
${failoverPhases.map((phase) => `| \`${phase}\` | ${codes(withoutEffect[phase])} |`).join("\n")}

## What cannot be

One of these ends the program: it has contradicted itself.

| phase | events |
|---|---|
${failoverPhases.map((phase) => `| \`${phase}\` | ${codes(impossible[phase])} |`).join("\n")}

## The return of an instance, in the other modes

| it was | event | if | it is | says |
|---|---|---|---|---|
${presenceTable
  .map(({ from, on, when, to, says }) => {
    return `| \`${from}\` | \`${on}\` | ${when ?? ""} | \`${to}\` | ${says ?? ""} |`;
  })
  .join("\n")}
`;
}

function tableRow(row: FailoverRow): string {
  const cells = [
    `\`${row.from}\``,
    `\`${row.on}\``,
    row.when ?? "",
    row.to === row.from ? "" : `\`${row.to}\``,
    row.command ?? "",
    deadlineNames[row.deadline],
    row.says?.sentence ?? "",
  ];
  return `| ${cells.join(" | ")} |`;
}

function codes(kinds: readonly FailoverEventKind[]): string {
  return kinds.length === 0 ? "none" : kinds.map((kind) => `\`${kind}\``).join(", ");
}

/** The same for a terminal: a line a row, what it says below it. */
export function failoverText(): string {
  const blocks = failoverPhases.map((phase) => {
    const rows = failoverTable.filter(({ from }) => from === phase);
    return [`${phase}: ${meaningOfPhase[phase]}`, ...rows.flatMap(rowText)].join("\n");
  });
  return blocks.join("\n\n");
}

function rowText({ from, on, when, to, command, says }: FailoverRow): readonly string[] {
  const guard = when === undefined ? "" : `, if ${when}`;
  const does = command === undefined ? "" : ` (${command})`;
  const line = `  ${on}${guard}: ${to === from ? "stays" : to}${does}`;
  return says === undefined ? [line] : [line, `      "${says.sentence}"`];
}
