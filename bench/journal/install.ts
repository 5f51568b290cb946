// Brings the databases that the bench compares with: native code, from bench/package.json and its
// own lockfile, so that neither Nines nor its tests ever install them. lmdb comes compiled; SQLite
// is compiled from its source, once, because its install script would rather fetch a binary that no
// lockfile covers.

import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

const folder = join(import.meta.dirname, "..", "..", "..", "bench");

/** Loads a package of bench/package.json; undefined where it could not be installed. */
export function load<Module>(name: string): Module | undefined {
  try {
    return createRequire(join(folder, "package.json"))(name) as Module;
  } catch {
    return undefined; // the bench says that it was not measured
  }
}

/** Installs and compiles what bench/package-lock.json names, unless that is done already. */
export function install(): void {
  const lock = readFileSync(join(folder, "package-lock.json"));
  const wanted = `${createHash("sha256").update(lock).digest("hex")} ${process.version}`;
  const stamp = join(folder, "node_modules", ".nines-installed");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === wanted) return;
  console.log("installing what the bench compares with (compiles SQLite: a minute or two)");
  const done =
    npm("ci", "--ignore-scripts", "--no-audit", "--no-fund") && npm("rebuild", "better-sqlite3");
  if (done) writeFileSync(stamp, wanted);
}

function npm(...words: readonly string[]): boolean {
  // Node's own headers lie beside it on most systems; without them node-gyp downloads them.
  const prefix = dirname(dirname(process.execPath));
  const hasHeaders = existsSync(join(prefix, "include", "node", "node.h"));
  const result = spawnSync("npm", words, {
    cwd: folder,
    stdio: ["ignore", "ignore", "inherit"],
    env: {
      ...process.env,
      npm_config_build_from_source: "true",
      ...(hasHeaders ? { npm_config_nodedir: prefix } : {}),
    },
  });
  return result.status === 0;
}
