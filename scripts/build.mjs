// `npm run build`: compiles all projects in dependency order (`tsc -b`), and makes one file of each
// thread that a command waits for.
//
// What reads a configuration file is some 130 modules, most of them other people's, and every
// `nines backup` waits for it: as one file, without the parts that nobody calls, it is there a tenth
// of a second earlier. Rejected: one file of the whole program (measured: nothing more is gained,
// and what runs would no longer be what the tests name).
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, readFileSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "rolldown";

const root = dirname(dirname(fileURLToPath(import.meta.url)));

function compile() {
  const compiler = join(root, "node_modules", "typescript", "bin", "tsc");
  const result = spawnSync(process.execPath, [compiler, "-b", ...process.argv.slice(2)], {
    cwd: root,
    stdio: ["ignore", 2, 2],
  });
  if (result.status !== 0) process.exit(result.status ?? 1);
}

/** Other people's code is passed on with their licences. */
function licences(names) {
  const texts = names.map((name) => {
    const text = readFileSync(join(root, "node_modules", name, "LICENSE"), "utf8").trim();
    return `Parts of this file are from ${name}:\n\n${text}\n`;
  });
  return `/*\n${texts.join("\n")}*/`;
}

/** `packages`: whose code is in it. */
async function bundle(thread, packages) {
  const input = join(root, "dist", "src", thread);
  const file = input.replace(/\.js$/, ".bundle.js");
  if (!existsSync(input)) return rmSync(file, { force: true }); // `tsc -b --clean` was asked for
  await build({
    input,
    platform: "node",
    output: {
      file,
      banner: packages.length === 0 ? "" : licences(packages),
      comments: { legal: true, annotation: false, jsdoc: false },
    },
    logLevel: "warn",
  });
}

compile();
const program = join(root, "dist", "src", "program", "main.js");
if (existsSync(program)) chmodSync(program, 0o755);
await bundle("program/config-thread.js", ["yaml", "zod"]);
await bundle("runtime/bulk-work-thread.js", []);
