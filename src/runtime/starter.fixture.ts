// A control that is killed: starts what its argument (a StartRequest as JSON) says, tells the
// identity, and dies the hard way, either when it is announced or when it runs.

import { writeSync } from "node:fs";
import type { StartRequest } from "../ports/processes.ts";
import { closeInheritedDescriptors } from "./inherited-descriptors.ts";
import { createProcesses } from "./processes.ts";

const [text = "", moment] = process.argv.slice(2);
const request = JSON.parse(text) as StartRequest;

function die(): void {
  process.kill(process.pid, "SIGKILL");
}

closeInheritedDescriptors();
const running = await createProcesses({ owner: "starter" }).start({
  ...request,
  announce(identity) {
    writeSync(1, `${JSON.stringify(identity)}\n`);
    if (moment === "announced") die();
  },
});
if (running.signal !== undefined) die();
