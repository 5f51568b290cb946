// The lifecycle table as a page: what docs/reference/lifecycle.md says, so that the page cannot say
// anything else than the code does.

import {
  type EventKind,
  eventKinds,
  impossible,
  lifecycle,
  type Row,
  withoutEffect,
} from "./lifecycle-table.ts";
import { type Phase, phases } from "./phase.ts";

const meaningOfPhase: Readonly<Record<Phase, string>> = {
  waiting: "It has no process and is to get one as soon as its dependencies are ready.",
  launching: "Its process is asked for and not there yet.",
  starting: "Its process runs and is not ready yet; its checks are fast.",
  running: "Ready. It takes traffic while its checks pass and no operator drains it.",
  draining: "To be ended; gets no new traffic and finishes what it has.",
  stopping: "Told to end by SIGTERM; SIGKILL follows after the grace.",
  backoff: "Ended on its own; restarts when the backoff is over.",
  "crash-loop": "Ended so often that it is held back at the longest backoff.",
  stopped: "Ended because it was told to.",
};

const meaningOfEvent: Readonly<Record<EventKind, string>> = {
  adopted: "a new control found its process running",
  "may-start": "each of its dependencies has an instance that is ready",
  launched: "the process exists",
  "launch-failed": "there is no process: program not found, no port free, record refused",
  healthy: "its checks say up",
  unhealthy: "its checks say down",
  ended: "its process has ended",
  "over-memory": "it uses more memory than its limit, where the kernel does not keep that",
  replace: "an operator, or a changed file, wants a new process in its place",
  stop: "it is not wanted any more",
  wanted: "it is wanted again",
  idle: "the data plane has nothing under way on it and sends nothing more",
  hurry: "whoever waits for its end cannot wait longer",
  deadline: "the deadline of its phase has passed",
};

export function lifecycleReference(): string {
  return `# The life of an instance

An instance is in one phase. An event takes it to the next: the first row whose phase, event and
condition fit. The sentence is what the log, \`nines events\` and \`nines status\` (why) say.

This page is generated from the code.

## Phases

| phase | meaning |
|---|---|
${phases.map((phase) => `| \`${phase}\` | ${meaningOfPhase[phase]} |`).join("\n")}

## Events

| event | meaning |
|---|---|
${eventKinds.map((kind) => `| \`${kind}\` | ${meaningOfEvent[kind]} |`).join("\n")}

## What follows

The deadline is that of the next phase: when it passes, the event \`deadline\` comes.

| phase | event | if | next phase | does | deadline | says |
|---|---|---|---|---|---|---|
${lifecycle.map(tableRow).join("\n")}

## What changes nothing

These come late, or ask for what is so already.

| phase | events |
|---|---|
${phases.map((phase) => `| \`${phase}\` | ${codes(withoutEffect[phase])} |`).join("\n")}

## What cannot be

There is no process, or no deadline, that could tell of these. One of them ends the program: it has
contradicted itself.

| phase | events |
|---|---|
${phases.map((phase) => `| \`${phase}\` | ${codes(impossible[phase])} |`).join("\n")}
`;
}

function tableRow(row: Row): string {
  const deadline = row.deadline === "kept" || row.deadline === "none" ? "" : row.deadline;
  const cells = [
    `\`${row.from}\``,
    `\`${row.on}\``,
    row.when ?? "",
    row.to === row.from ? "" : `\`${row.to}\``,
    row.commands.join(", "),
    deadline,
    row.says?.sentence ?? "",
  ];
  return `| ${cells.join(" | ")} |`;
}

function codes(kinds: readonly EventKind[]): string {
  return kinds.map((kind) => `\`${kind}\``).join(", ");
}
