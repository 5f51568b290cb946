// docs/reference/simulate.md, with the fields that `--json` has.

import { type Blame, blames } from "../../../sim/years/blame.ts";
import { callsPerSecond } from "../../../sim/years/callers.ts";
import { yearsFields } from "./years-report.ts";

export function simulateReference(): string {
  const fields = Object.entries(yearsFields).map(([name, text]) => `| \`${name}\` | ${text} |`);
  const rows = (Object.keys(blames) as Blame[]).map((one) => `| \`${one}\` | ${blames[one]} |`);
  return `# Simulated years

    nines simulate
    nines simulate web --years 10000 --seed 7
    nines simulate --replay 538571045@2660.4958

lives through years of the file with the code that would run it, and says how available each
service was, how certain that is, what was to blame, how fast failures were found, moved away
from and mended, and which outages were the longest. Nothing needs to run.

[\`nines model\`](predict.md) solves formulas; this lives through what they stand for. Where
the assumptions of the formulas hold the two agree; where they differ, it is said in which
direction, in which part of what was lost the gap is largest, and in which of the times.

## What is real in it

Control is: its supervisor, health checks, failover, routing and its account of incidents are
the ones of \`nines up\`, with the file's own settings. So is what chooses instances, ejects
them and tries again. Simulated are clocks, processes, wires, and clients.

- **Faults** come at the rates and last as long as [predictions](predict.md) say: from the
  file, from measured incidents, or assumed. Each instance, machine and zone fails by itself,
  at exponential times while it is up.
- **Clients** call each service ${callsPerSecond} times a second from a moment before each
  fault until nothing happens any more and it is known how they fare; each call stands for as
  many as the load has in its place. At so few calls the workers find what is silent or wrong
  later than under a real load: losses are rather too high than too low. A service without a
  route of http, behind a tcp listener or no gateway, is judged by its standing alone: it is up
  or not, nobody calls it, and no request to it is tried again or tells that it stalls.
- **Between faults** nothing is lost at full strength, or where all who take traffic answer all
  of it; else what the last calls met goes on.
  How long answers take is the queueing model's (M/M/c over the instances in traffic), where
  \`load\`, \`capacity\` and \`serviceTime\` are known.
- **Not drawn** are failures that come with age or in bursts (Weibull's law with a shape other
  than 1) and faults that make an instance slow: it is well, wrong, hung or gone. A caution says
  so.
- Planned work (deploys, scaling, maintenance) is left out, as in the model.
- Nines runs on the first machine that the file gives the gateway, also where it gives more: a
  caution says so.
- No more than two gateway workers are simulated, and checks begin without jitter.

## What is up

By what is true in the simulated world, and not by what control thinks of it: a service is up
while at least \`needed\` of its places in traffic are filled by programs that work, behind a
gateway that runs, with all that it depends on up. Requests lost while it is up count as so
much time. So do those of a load that is more than the instances in traffic serve: with rho >= 1
a service is never said to be available, however well it is.

## How certain it is

Years are lived in at least forty lifetimes, each from a seed of its own, and the bounds are
Student's over the lifetimes, at 99 %. Where outages are few, the bounds of Poisson's law on
their number are taken where they are wider. Where there was none, an upper bound is left, and
never a certain 100 %. The bounds are of chance alone: how certain the rates are is what
\`nines model\` says.

## What is to blame

The widest of the faults that hit a service since it was at full strength last.

| blame | what it is |
|---|---|
${rows.join("\n")}

## Seeing one again

The longest outages come with words for \`--replay\`: the seed of a lifetime, and hours since
its beginning. It prints what happened from 10 s before to 2 min after, a line each: seconds
of true time, who, about whom, what.

## Fields of \`--json\`

A list, one for each service.

| field | meaning |
|---|---|
${fields.join("\n")}

This page is generated from the code.`;
}
