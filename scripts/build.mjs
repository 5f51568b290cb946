// `npm run build`: compiles all projects in dependency order (`tsc -b`), and makes one file of what
// reads a configuration file.
//
// That reader is some 200 modules, most of them other people's, which every `nines backup` waits
// for: as one file, without the parts that nobody calls, it is there a tenth of a second earlier.
// Rejected: one file of the whole program (measured: nothing more is gained, and what runs would no
// longer be what the tests name).
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "rolldown";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const program = join(root, "dist", "src", "program");

function compile() {
  const compiler = join(root, "node_modules", "typescript", "bin", "tsc");
  const result = spawnSync(process.execPath, [compiler, "-b", ...process.argv.slice(2)], {
    cwd: root,
    stdio: ["ignore", 2, 2],
  });
  if (result.status !== 0) process.exit(result.status ?? 1);
}

/** Other people's code is passed on with their licences. */
function licences(...names) {
  const texts = names.map((name) => {
    const text = readFileSync(join(root, "node_modules", name, "LICENSE"), "utf8").trim();
    return `Parts of this file are from ${name}:\n\n${text}\n`;
  });
  return `/*\n${texts.join("\n")}*/`;
}

async function bundleConfigThread() {
  const input = join(program, "config-thread.js");
  if (!existsSync(input)) return; // `tsc -b --clean` was asked for
  await build({
    input,
    platform: "node",
    output: {
      file: join(program, "config-thread.bundle.js"),
      banner: licences("yaml", "zod"),
      comments: { legal: true, annotation: false, jsdoc: false },
    },
    logLevel: "warn",
  });
}

compile();
if (existsSync(join(program, "main.js"))) chmodSync(join(program, "main.js"), 0o755);
await bundleConfigThread();
