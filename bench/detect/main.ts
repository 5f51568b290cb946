// `npm run bench:detect`: how soon each failure detector finds a failure, and how often it blames
// somebody who is well, beside fixed timeouts. The histories are generated, with the truth in them;
// the same seed gives the same figures on every machine.

import { printFigures } from "../shared/figures.ts";
import { errorFigures } from "./errors.ts";
import { heartbeatFigures } from "./heartbeats.ts";
import { requestFigures } from "./requests.ts";

const quick = process.argv.includes("--quick");
printFigures("detect", [
  ...heartbeatFigures(quick ? 20 : 100),
  ...requestFigures(quick ? 5 : 20),
  ...errorFigures(quick ? 20 : 100),
]);
