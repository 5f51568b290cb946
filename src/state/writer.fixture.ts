// A process that writes records without end, telling each one that is done. It is killed.

import { writeSync } from "node:fs";
import { createRecords } from "./records.ts";

const [folder = "", first = "0"] = process.argv.slice(2);
const records = createRecords(folder);
for (let count = Number(first) + 1; ; count++) {
  records.write("counter", { count, padding: "x".repeat(count % 5_000) });
  writeSync(1, `${count}\n`);
}
