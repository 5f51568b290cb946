// The deploy table as a page: what docs/reference/deploy.md says, so that the page cannot say
// anything else than the code does.

import {
  type DeployEventKind,
  deployEvents,
  type DeployPhase,
  deployPhases,
  type DeployRow,
  deployTable,
  deployWithoutEffect,
} from "./deploy-table.ts";

const meaningOfPhase: Readonly<Record<DeployPhase, string>> = {
  rolling: "The instances that the current step wants become the new version.",
  holding: "A canary step is reached; the new version has its share and is watched.",
  finishing: "All instances are of the new version; the extra ones leave.",
  "rolling-back": "All instances become the old version again; the extra ones leave.",
  stopped: "It has failed and stays as it is, for a person to decide.",
  finished: "Over: everything is at the new version.",
  "rolled-back": "Over: everything is at the old version again.",
  superseded: "Over: another deploy, or the file, decides what runs.",
};

const meaningOfEvent: Readonly<Record<DeployEventKind, string>> = {
  settled: "everything that the phase wants is so, and has been well for `minimumHealthy`",
  progressed: "one more instance is as the phase wants it",
  "time-over": "the time of a canary step, or the deadline without progress, has passed",
  failed: "a new instance ended, did not get ready, is down, or answers clearly more errors",
  withdrawn: "`nines rollback`",
  overtaken: "another deploy took its place, or the file changed while control was away",
  resumed: "a new control found it under way",
};

export function deployReference(): string {
  return `# A deploy

A deploy is in one phase. An event takes it to the next: the first row whose phase, event and
condition fit. The sentence is what the log, \`nines events\` and \`nines status\` say. How to use it is
told in [guides/deploy.md](../guides/deploy.md). This page is generated from the code.

## Phases

| phase | meaning |
|---|---|
${deployPhases.map((phase) => `| \`${phase}\` | ${meaningOfPhase[phase]} |`).join("\n")}

## Events

| event | meaning |
|---|---|
${deployEvents.map((kind) => `| \`${kind}\` | ${meaningOfEvent[kind]} |`).join("\n")}

## What follows

| phase | event | if | next phase | deadline | says |
|---|---|---|---|---|---|
${deployTable.map(tableRow).join("\n")}

## What changes nothing

| phase | events |
|---|---|
${deployPhases.map((phase) => `| \`${phase}\` | ${codes(deployWithoutEffect[phase])} |`).join("\n")}
`;
}

function tableRow(row: DeployRow): string {
  const step = row.nextStep === true ? ", the next step" : "";
  const cells = [
    `\`${row.from}\``,
    `\`${row.on}\``,
    row.when ?? "",
    row.to === row.from ? "" : `\`${row.to}\`${step}`,
    row.deadline === "kept" || row.deadline === "none" ? "" : row.deadline,
    row.says?.sentence ?? "",
  ];
  return `| ${cells.join(" | ")} |`;
}

function codes(kinds: readonly DeployEventKind[]): string {
  return kinds.map((kind) => `\`${kind}\``).join(", ");
}
