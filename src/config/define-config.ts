// For nines.config.js: the same file as a program, with its types known to the editor.
//
//   import { defineConfig } from 'nines';
//   export default defineConfig({ services: { web: { command: "node server.js" } } });

import type { FileInput } from "./schema.ts";

/** What nines.config.js may export. */
export type NinesConfig = FileInput;

/** Returns what it is given; it is there for its type. */
export function defineConfig(config: NinesConfig): NinesConfig {
  return config;
}
