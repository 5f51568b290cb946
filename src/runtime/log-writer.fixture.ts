// An instance that logs a great deal, some 20,000 numbered lines a second, each by one appending
// write.

import { openSync, writeSync } from "node:fs";

const [file = "", most = "0"] = process.argv.slice(2);
const descriptor = openSync(file, "a");
let count = 0;

function burst(): void {
  for (let lines = 0; lines < 20 && count < Number(most); lines++) {
    writeSync(descriptor, `${++count} ${"x".repeat(count % 90)}\n`);
  }
  if (count < Number(most)) setTimeout(burst, 1);
}

burst();
