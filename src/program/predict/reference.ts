// docs/reference/predict.md, from the tables that the predictions are made of.

import { printDuration, printPercent } from "../../config/units.ts";
import { assumed, assumedChances, assumedStart } from "../../core/predict/default-rates.ts";
import { type Cause, causes } from "../../core/predict/rates.ts";
import { causeWords } from "./account.ts";
import { modelFields } from "./report.ts";

const day = 86_400_000;

/** What a cause does to a service, and how it ends, in the model. */
const courses: Readonly<Record<Cause, string>> = {
  crash:
    "seen at once; requests under way are lost, new ones go elsewhere; back after the backoff, " +
    "the start and `health.rise` checks",
  hang:
    "seen by the workers after 250 ms, or eight usual answers if that is longer, while requests " +
    "come and others answer, else by its checks or heartbeats (with `detection.stall` off, by these " +
    "alone); back when it ends by itself or `restart.unhealthyAfter` has ended it",
  gray: "its requests fail until a person has ended it",
  endpoint: "seen as a hang is; back when its own keeper has brought it back",
  commonCause: "all are down until they have started again, whatever `needed` says",
  machine: "all that is on it is down until it is back and its processes have started",
  zone: "all of its machines, likewise",
  gatewayWorker: "what it was working on is lost; the others take its share at once",
  gateway: "all that comes through it is down for two seconds",
  control: "traffic goes on; restarts and promotions wait until it is back",
};

export function predictReference(): string {
  return [
    opening,
    causesChapter(),
    ratesChapter(),
    computing,
    refusals,
    fieldsChapter(),
    "This page is generated from the code.\n",
  ].join("\n\n");
}

const opening = `# Predictions

    nines model
    nines model web --json

says how available each service of the file will be, what takes its availability away, what each
change would buy, and how certain that is. Nothing needs to run. What is predicted is *unplanned*:
deploys, scaling and maintenance are left out.

## What is predicted

**A service's availability is the share of its requests that is served.** All of them are lost
while fewer than \`needed\` of its instances work in traffic, while a \`primary-standby\` service
is between two primaries, while its gateway is down, and while a service that it depends on
(\`dependsOn\`) is down. Of the rest, those are lost that meet an instance whose failure nobody
has noticed yet, less what another instance can answer (\`predict.services.NAME.resent\`).

\`needed\` is what \`load\` takes at nine tenths of \`capacity\` (which \`nines load\` measures), and 1
where they are not known. With a load of more than all in traffic serve (rho of 1 and above), what
is over, a share of 1 - 1 / rho, counts as lost, and it says so.

Everything that Nines runs is on one machine, and an endpoint's machine is its host in its
\`zone\`, unless \`predict.machines\` and \`predict.services.NAME.machines\` place them elsewhere.
This version of Nines runs on one machine: what several would buy is a question that can be asked,
and not yet done.`;

function causesChapter(): string {
  return `## What fails

| cause | what it is | its course |
|---|---|---|
${causes.map((cause) => `| \`${cause}\` | ${causeWords[cause]} | ${courses[cause]} |`).join("\n")}`;
}

function ratesChapter(): string {
  return `## Where rates come from

What the file says (\`predict.rates\`, \`predict.services.NAME.rates\`) wins, and is not doubted.
Then what was measured: failures of the kept incidents (\`nines incidents\`), from five on, and
only while Laplace's test does not object that they come more or less often as time goes on (p
below 5 %); their interval is the exact one of a Poisson count, at 90 %. An incident counts once
for each instance that was out in it. Watching is taken to have gone on since the state directory
was made. Then, these assumptions, each taken to be right within a factor of three:

| cause | one every | why | until mended | why |
|---|---|---|---|---|
${Object.entries(assumed).map(assumedRow).join("\n")}

${chanceRows()}

They are round figures near published ones, so that a first prediction has the right order; what
they are for your service, only your service can tell. A rate of zero cannot be written: what has
never happened in T hours happens less often than once in T / 3, with 95 %, and not never.`;
}

const computing = `## How it is computed

1. An instance by itself is lost for rate x mean time to mend of each of its causes, whatever
   their distributions. Times are those of the loops that run: check interval, timeout and
   \`fall\`, backoff, start.
2. Where order matters, a Markov chain: a primary fails, it is seen, a standby is promoted, and
   standbys fail meanwhile.
3. Above them a decision diagram over zones, machines, instances, common causes and the gateway:
   exact where services, instances or dependencies share them. What is lost unnoticed is added
   to it, which is right while it is rare; where it is not, that is said.
4. What a cause contributes is what would be gained if it never happened; contributions overlap
   where two causes only hurt together. What a change buys is found by solving the changed
   deployment.
5. Intervals: 200 draws of all rates and all assumed times between their bounds (log-normal,
   bounds at 5 % and 95 %), the same draws for each change. An assumption that stands in for
   several services is drawn once for all.

Where it errs: failures are taken to come at constant rates and independently, but for the
machines, zones and common causes that are said; a restart that is held back in a crash loop,
flapping, and an overload of those that are left are not in it. \`nines simulate\` runs the real
loops through the same rates.`;

const refusals = `## What it refuses

| what | answer |
|---|---|
| a rate or a time of 0, a probability above 1 | \`NINES_MODEL_INPUT\`, which number and why |
| an instance that never comes back or is never noticed | \`NINES_MODEL_NEVER_RECOVERS\` |
| one host in two zones, services in a circle | \`NINES_PREDICT_CONTRADICTION\` |
| a decision diagram of more than a million nodes | \`NINES_MODEL_TOO_LARGE\` |`;

function fieldsChapter(): string {
  const fields = Object.entries(modelFields).map(([name, text]) => `| \`${name}\` | ${text} |`);
  return `## As JSON

\`nines model --json\` prints a list, one entry a service:

| field | meaning |
|---|---|
${fields.join("\n")}`;
}

function assumedRow([cause, one]: [string, (typeof assumed)[keyof typeof assumed]]): string {
  const reason = one.reason.replace(/^an assumption: /, "");
  const [until, why] =
    one.repair === undefined
      ? ["", ""]
      : [printDuration(one.repair.meanMs), one.repair.reason.replace(/^an assumption: /, "")];
  return `| \`${cause}\` | ${printDuration(one.everyDays * day)} | ${reason} | ${until} | ${why} |`;
}

function chanceRows(): string {
  const { commonCause, startFails } = assumedChances;
  return [
    `- \`commonCause\`: ${printPercent(commonCause.value)} of crashes; ${commonCause.reason}.`,
    `- \`startFails\`: ${printPercent(startFails.value)} of starts; ${startFails.reason}.`,
    `- \`start\`: ${printDuration(assumedStart.meanMs)}; ${assumedStart.reason}.`,
  ].join("\n");
}
