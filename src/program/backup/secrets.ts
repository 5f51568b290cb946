// What opens a vault and its targets, read from where nobody else can read it: files of mode 0600,
// what a command prints, the environment. Never an argument of a command, for every user of the
// machine sees those, and never in a message.

import { spawn } from "node:child_process";
import { closeSync, constants, fstatSync, openSync, readFileSync } from "node:fs";
import { type ErrorCode, NinesError } from "../../core/base/errors.ts";
import { bytesOfHex } from "../../core/vault/wire.ts";
import type { S3Credentials } from "../../runtime/s3-signer.ts";

const secretBytesMax = 4_096;
const commandMsMax = 60_000;
const passphraseCharactersMin = 12;

/** Throws NINES_VAULT_KEY_FILE. */
export function readKeyFile(file: string): Uint8Array {
  const key = keyOf(readPrivate(file));
  if (key !== undefined) return key;
  throw unusable("NINES_VAULT_KEY_FILE", file, "does not hold 64 hexadecimal digits");
}

/** Throws NINES_VAULT_KEY_FILE. */
export function readPassphrase(file: string): Uint8Array {
  const passphrase = readPrivate(file).trimEnd();
  if (passphrase.length >= passphraseCharactersMin) return new TextEncoder().encode(passphrase);
  const why = `holds a passphrase of under ${passphraseCharactersMin} characters`;
  throw unusable("NINES_VAULT_KEY_FILE", file, why);
}

function keyOf(text: string): Uint8Array | undefined {
  return /^[0-9a-f]{64}$/.test(text.trim()) ? bytesOfHex(text.trim()) : undefined;
}

/**
 * The key that a command prints. It may ask at the terminal, and its complaints go there; at the
 * deadline it is killed. Throws NINES_VAULT_KEY_COMMAND.
 */
export async function runKeyCommand(
  [program = "", ...words]: readonly string[],
  workingDirectory: string,
  timeoutMs: number = commandMsMax,
): Promise<Uint8Array> {
  const stdio = ["inherit", "pipe", "inherit"] as const;
  const child = spawn(program, words, { cwd: workingDirectory, stdio: [...stdio] });
  let printed = "";
  child.stdout.setEncoding("utf8");
  child.stdout.on("data", (text: string) => {
    printed = (printed + text).slice(0, secretBytesMax);
  });
  let timer: NodeJS.Timeout | undefined;
  const end = await new Promise<string>((resolve) => {
    timer = setTimeout(() => {
      child.kill("SIGKILL");
      resolve(`did not end within ${timeoutMs / 1000} s`);
    }, timeoutMs);
    child.once("error", ({ message }) => resolve(`could not be run: ${message}`));
    child.once("close", (code, signal) => {
      resolve(code === 0 ? "" : `ended with ${signal ?? `code ${code}`}`);
    });
  });
  clearTimeout(timer);
  child.stdout.destroy();
  const key = end === "" ? keyOf(printed) : undefined;
  if (key !== undefined) return key;
  const why = end === "" ? "printed something else than 64 hexadecimal digits" : end;
  throw new NinesError("NINES_VAULT_KEY_COMMAND", `The key's command ${program} ${why}.`);
}

/** From the file, or from the environment. Throws NINES_VAULT_CREDENTIALS. */
export function readS3Credentials(target: string, file: string | undefined): S3Credentials {
  const found = file === undefined ? process.env : credentialsIn(file);
  const [id, secret, token] = ["access_key_id", "secret_access_key", "session_token"].map(
    (name) => found[file === undefined ? `AWS_${name.toUpperCase()}` : `aws_${name}`],
  );
  if (id !== undefined && secret !== undefined) {
    const lent = token === undefined ? {} : { sessionToken: token };
    return { accessKeyId: id, secretAccessKey: secret, ...lent };
  }
  const where = file === undefined ? "the environment" : `its file ${file}`;
  const what = `Target ${target} has no access key, or no secret to it, in ${where}.`;
  throw new NinesError("NINES_VAULT_CREDENTIALS", what);
}

/** The lines `name = value`, as the tools of AWS write them, of one profile. */
function credentialsIn(file: string): Readonly<Record<string, string>> {
  const text = readPrivate(file, "NINES_VAULT_CREDENTIALS");
  const lines = text.split("\n").map((line) => line.trim());
  if (lines.filter((line) => line.startsWith("[")).length > 1) {
    throw unusable("NINES_VAULT_CREDENTIALS", file, "has several profiles");
  }
  const pairs = lines.map((line) => /^(aws_\w+)\s*=\s*(\S+)$/.exec(line));
  return Object.fromEntries(pairs.map((pair) => [pair?.[1] ?? "", pair?.[2] ?? ""]));
}

/** The text of a file that nobody else can read or change. */
function readPrivate(file: string, code: ErrorCode = "NINES_VAULT_KEY_FILE"): string {
  let descriptor: number | undefined;
  try {
    // Opening a pipe would wait for its writer.
    descriptor = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
    const { mode, size } = fstatSync(descriptor);
    if ((mode & 0o077) !== 0) throw unusable(code, file, `has mode ${(mode & 0o777).toString(8)}`);
    if (size > secretBytesMax) throw unusable(code, file, "is over 4 KiB");
    return readFileSync(descriptor, "utf8");
  } catch (cause) {
    if (cause instanceof NinesError) throw cause;
    throw unusable(code, file, cause instanceof Error ? cause.message : String(cause));
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

function unusable(code: ErrorCode, file: string, why: string): NinesError {
  const what = code === "NINES_VAULT_KEY_FILE" ? "The key's file" : "The credentials' file";
  return new NinesError(code, `${what} ${file} cannot be used: ${why}.`);
}
