// `npm run build`: compiles all projects in dependency order (`tsc -b`).
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const compiler = join(root, "node_modules", "typescript", "bin", "tsc");
const result = spawnSync(process.execPath, [compiler, "-b", ...process.argv.slice(2)], {
  cwd: root,
  stdio: ["ignore", 2, 2],
});
if (result.status !== 0) process.exit(result.status ?? 1);
const program = join(root, "dist", "src", "program", "main.js");
if (existsSync(program)) chmodSync(program, 0o755);
