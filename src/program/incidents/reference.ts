// docs/reference/incidents.md, from the fields and the table that the program works by.

import { incidentStates, momentKinds } from "../../core/incident/incident.ts";
import {
  happenings,
  incidentTable,
  states,
  type State,
} from "../../core/incident/incident-table.ts";
import { incidentFields } from "./report.ts";

const meaningOfState: Readonly<Record<State | "closed", string>> = {
  quiet: "no incident",
  suspected:
    "something failed and nobody lost by it yet: not an incident, and forgotten after 10 s",
  open: "clients lose requests, or many are slow or answered 5xx; nobody was found out",
  detected: "an instance is out",
  transferred: "traffic goes elsewhere",
  recovered: "full strength; what is lost, or out again, within 10 s is still this incident",
  closed: "over",
};

const meaningOfKind: Readonly<Record<(typeof momentKinds)[number], string>> = {
  sign: "an attempt or a check failed",
  fault: "an instance is out",
  loss: "clients notice",
  transfer: "traffic goes elsewhere",
  mended: "an instance has its place again",
  recovery: "full strength, or an end of the losses",
  action: "an event of the log: what Nines or an operator did meanwhile",
  note: "what bears on the account itself",
};

export function incidentsReference(): string {
  const fields = Object.entries(incidentFields).map(([name, text]) => `| \`${name}\` | ${text} |`);
  const kinds = momentKinds.map((kind) => `| \`${kind}\` | ${meaningOfKind[kind]} |`);
  const meanings = [...states, "closed" as const].map(
    (state) => `| ${nameOf(state)} | ${meaningOfState[state]} |`,
  );
  const happened = Object.entries(happenings).map(([name, text]) => `| \`${name}\` | ${text} |`);
  return `# Incidents

\`nines incidents\` lists what was wrong, \`nines incidents show ID\` tells one line by line; both work
without control. How each time is measured, its error, and what is not counted:
[internals/incidents.md](../internals/incidents.md).

This page is generated from the code.

## JSON

\`nines incidents --json\` prints a list of these, and GET \`/v1/incidents\` of the
[admin API](admin-api.md) answers it; \`nines incidents show ID --json\` prints one. Times are ISO 8601
in UTC, durations milliseconds. Fields may be added; none is renamed, removed or given another
meaning.

| field | meaning |
|---|---|
${fields.join("\n")}

A line of the \`timeline\` has a \`kind\`:

| kind | what it tells |
|---|---|
${kinds.join("\n")}

The event stream tells the same as it happens, as events of the kinds \`incident.opened\`,
\`incident.detected\`, \`incident.transferred\` and \`incident.recovered\`.

## States

| state | meaning |
|---|---|
${meanings.join("\n")}

## What leads from one to another

| what happens | when |
|---|---|
${happened.join("\n")}

| in | when | then | because |
|---|---|---|---|
${states.flatMap(rowsOf).join("\n")}

Everything else changes no state: it is counted, or becomes a line of the timeline.
`;
}

function rowsOf(state: State): readonly string[] {
  return Object.entries(incidentTable[state]).flatMap(([happening, step]) => {
    if (step === undefined) return [];
    const next = state === "recovered" && step.next === "quiet" ? "`closed`" : nameOf(step.next);
    return [`| ${nameOf(state)} | \`${happening}\` | ${next} | ${step.because} |`];
  });
}

/** Only an incident's own states are words of the JSON. */
function nameOf(state: State | "closed"): string {
  return incidentStates.some((one) => one === state) ? `\`${state}\`` : state;
}
