// Extended attributes and ACLs (which Linux keeps as attributes), by getfattr and setfattr, for
// Node has no calls for them. Where the tools are not installed nothing is kept or set, and that is
// said.
//
// All of a tree is read by one process before the walk, since few files have any. They are set a
// folder at a time, in the folder itself, which is handed over open: names of a backup lead nowhere
// else, and a link is never followed. Not kept: SELinux's label, which every file has and a policy
// gives (`restorecon`).

import { spawn, spawnSync } from "node:child_process";
import type { ByteName, ExtendedAttribute } from "../core/vault/entry.ts";

/** By path below the root, "" for the root itself. */
export type AttributesByPath = ReadonlyMap<ByteName, readonly ExtendedAttribute[]>;

export interface ReadAttributes {
  readonly attributes: AttributesByPath;
  /** Why some or all are not there; undefined when all are. */
  readonly missing: string | undefined;
}

const readMs = 600_000;
const setMs = 60_000;
const textCharactersMax = 64 * 1_048_576;
const attributeMax = 1_024;
const valueBytesMax = 65_536;
const selinux = "security.selinux";

/** `only`: of this file in the folder alone. */
export function readAttributes(root: string, only?: ByteName): Promise<ReadAttributes> {
  const what = only === undefined ? ["-R", "--", "."] : ["--", `./${only}`];
  const words = ["-P", "-h", "-d", "-m", "-", "-e", "hex", ...what].map((word) =>
    Buffer.from(word, "latin1").toString("utf8"),
  );
  const found = new Map<ByteName, readonly ExtendedAttribute[]>();
  return new Promise((resolve) => {
    const child = spawn("getfattr", words, { cwd: root, stdio: ["ignore", "pipe", "ignore"] });
    const parser = new DumpParser(found);
    let taken = 0;
    let missing: string | undefined;
    const give = (why: string) => {
      missing ??= why;
      child.kill("SIGKILL");
    };
    const timer = setTimeout(() => give("getfattr took too long"), readMs);
    child.stdout.setEncoding("latin1").on("data", (text: string) => {
      taken += text.length;
      if (taken > textCharactersMax) give("there are more than are kept");
      else parser.push(text);
    });
    child.once("error", () => give("getfattr is not installed"));
    child.once("close", (code) => {
      clearTimeout(timer);
      // What vanished meanwhile or may not be read costs itself alone.
      if (code !== 0) missing ??= "getfattr could not read some";
      resolve({ attributes: found, missing });
    });
  });
}

/** `# file: PATH`, then `name=0xHEX` a line, then an empty line. */
class DumpParser {
  readonly #into: Map<ByteName, readonly ExtendedAttribute[]>;
  #rest = "";
  #path = "";
  #attributes: ExtendedAttribute[] = [];

  constructor(into: Map<ByteName, readonly ExtendedAttribute[]>) {
    this.#into = into;
  }

  push(text: string): void {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop() ?? "";
    for (const line of lines) this.#line(line);
  }

  #line(line: string): void {
    if (line.startsWith("# file: ")) {
      this.#path = unquoted(line.slice("# file: ".length)).replace(/^\.\/?/, "");
      this.#attributes = [];
      return;
    }
    if (line === "") {
      if (this.#attributes.length > 0) this.#into.set(this.#path, this.#attributes);
      return;
    }
    const at = line.indexOf("=0x");
    const name = unquoted(at < 0 ? line : line.slice(0, at));
    const value = Buffer.from(at < 0 ? "" : line.slice(at + 3), "hex");
    const isKept = name !== selinux && value.length <= valueBytesMax;
    if (isKept && this.#attributes.length < attributeMax) this.#attributes.push({ name, value });
  }
}

export interface WantedAttributes {
  /** In the folder; "." for the folder itself. */
  readonly name: ByteName;
  readonly attributes: readonly ExtendedAttribute[];
}

/** Sets them in the folder that is open as `folder`; why not, or undefined. */
export function setAttributes(
  folder: number,
  wanted: readonly WantedAttributes[],
): string | undefined {
  const dump = wanted.map(({ name, attributes }) => {
    const lines = attributes.map(
      (each) => `${quoted(each.name)}=0x${Buffer.from(each.value).toString("hex")}\n`,
    );
    return `# file: ${quoted(name)}\n${lines.join("")}\n`;
  });
  const { error, status, stderr } = spawnSync("setfattr", ["-h", "--restore=-"], {
    cwd: "/proc/self/fd/3",
    input: Buffer.from(dump.join(""), "latin1"),
    stdio: ["pipe", "ignore", "pipe", folder],
    timeout: setMs,
  });
  if (error !== undefined) return "setfattr is not installed";
  if (status === 0) return undefined;
  return `setfattr was refused some (${stderr.toString().split("\n")[0]?.slice(0, 200)})`;
}

/** As both tools write names: what could end a line or a name stands as \ooo. */
function quoted(name: string): string {
  return name.replaceAll(/[\n\r=\\]/g, (character) => {
    return `\\${character.charCodeAt(0).toString(8).padStart(3, "0")}`;
  });
}

function unquoted(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}
