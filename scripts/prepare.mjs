// Makes a bare clone ready to run: dependencies as the lockfile names them, then the build.
// Plain JavaScript, because it runs before anything is compiled. Both steps are skipped when
// what they would make is already there, so that `npm start` on a prepared folder costs little.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const [major, minor] = process.versions.node.split(".").map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  console.error(`Nines needs Node 20.19 or newer; this is ${process.versions.node}.`);
  process.exit(1);
}

function run(what, command, commandArguments) {
  const result = spawnSync(command, commandArguments, { cwd: root, stdio: ["ignore", 2, 2] });
  if (result.status === 0) return;
  console.error(`${what} failed: ${result.error?.message ?? `exit code ${result.status}`}`);
  process.exit(1);
}

const lock = readFileSync(join(root, "package-lock.json"));
const digest = createHash("sha256").update(lock).digest("hex");
const stamp = join(root, "node_modules", ".nines-installed");
if (!existsSync(stamp) || readFileSync(stamp, "utf8") !== digest) {
  run("npm ci", "npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"]);
  mkdirSync(dirname(stamp), { recursive: true });
  writeFileSync(stamp, digest);
}
run("The build", process.execPath, [join(root, "scripts", "build.mjs")]);
