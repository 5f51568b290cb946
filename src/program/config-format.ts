// What a configuration file is written in, by its name.

import { extname } from "node:path";
import type { ConfigSource } from "../config/load.ts";

export function formatOf(file: string): ConfigSource["format"] {
  const extension = extname(file).toLowerCase();
  if ([".js", ".mjs", ".cjs"].includes(extension)) return "javascript";
  return extension === ".json" ? "json" : "yaml";
}
