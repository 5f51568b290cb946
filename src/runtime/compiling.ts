// How soon the engine compiles what runs often.
//
// Its default is for programs that run for hours. A command lives for seconds, and spends a fifth
// of its work on fast code that it hardly gets to run; so it waits eight times as long with it. A
// backup that does run for hours gets there all the same.
//
// Engines after the eleventh have no such flag, and say so aloud.

import { setFlagsFromString } from "node:v8";

export function compileLate(): void {
  if (process.versions.v8.startsWith("11.")) setFlagsFromString("--interrupt-budget=1000000");
}
