// What opens a vault and its targets: taken from where only its owner can read it, and never said.

import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { type ErrorCode, NinesError } from "../../core/base/errors.ts";
import { readS3Credentials, runKeyCommand } from "./secrets.ts";

const folder = mkdtempSync(join(tmpdir(), "nines-secrets-"));
after(() => rmSync(folder, { recursive: true, force: true }));
const digits = "0f".repeat(32);

function refuses(code: ErrorCode, pattern: RegExp): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof NinesError, String(error));
    assert.ok(!error.message.includes("secret-"), "no secret is said");
    return error.code === code && pattern.test(error.message);
  };
}

describe("a command that prints the key", () => {
  it("gives it, run in its folder", async () => {
    writeFileSync(join(folder, "key"), `${digits}\n`);
    const key = await runKeyCommand(["cat", "key"], folder);
    assert.equal(Buffer.from(key).toString("hex"), digits);
  });

  it("that fails, prints something else, or is not there, is refused with the reason", async () => {
    const cases: readonly [readonly string[], RegExp][] = [
      [["sh", "-c", `echo ${digits}; exit 3`], /command sh ended with code 3\.$/],
      [["sh", "-c", "echo secret-thing"], /printed something else than 64 hexadecimal digits\.$/],
      [["sh", "-c", `echo ${digits}0`], /printed something else/],
      [["sh", "-c", "kill -9 $$"], /ended with SIGKILL/],
      [["no-such-program"], /could not be run: .*ENOENT/],
    ];
    for (const [command, expected] of cases) {
      const running = runKeyCommand(command, folder);
      await assert.rejects(running, refuses("NINES_VAULT_KEY_COMMAND", expected));
    }
  });

  it("has so long and no longer, however much it prints", async () => {
    const running = runKeyCommand(["yes", "secret-"], folder, 200);
    await assert.rejects(running, refuses("NINES_VAULT_KEY_COMMAND", /not end within 0\.2 s\.$/));
  });
});

describe("the credentials of a bucket", () => {
  function fileWith(text: string, mode = 0o600): string {
    const file = join(folder, "credentials");
    writeFileSync(file, text);
    chmodSync(file, mode);
    return file;
  }

  const lines = "aws_access_key_id = AKIA\naws_secret_access_key=secret-1/+=\n";

  it("are read as AWS's own tools write them", () => {
    const credentials = { accessKeyId: "AKIA", secretAccessKey: "secret-1/+=" };
    assert.deepEqual(readS3Credentials("cloud", fileWith(lines)), credentials);
    const lent = fileWith(`# mine\n[default]\n${lines}aws_session_token = lent\nregion = x\n`);
    assert.deepEqual(readS3Credentials("cloud", lent), { ...credentials, sessionToken: "lent" });
  });

  it("are refused where others could read them, or where it is not certain whose they are", () => {
    const cases: readonly [string, RegExp][] = [
      [fileWith(lines.split("\n")[0] ?? ""), /Target cloud has no access key, or no secret to it/],
      [join(folder, "none"), /cannot be used: .*ENOENT/],
    ];
    for (const [file, expected] of cases) {
      const reading = () => readS3Credentials("cloud", file);
      assert.throws(reading, refuses("NINES_VAULT_CREDENTIALS", expected));
    }
    const several = fileWith(`[a]\n${lines}[b]\n${lines}`);
    const profiles = refuses("NINES_VAULT_CREDENTIALS", /has several profiles/);
    assert.throws(() => readS3Credentials("cloud", several), profiles);
    const open = fileWith(lines, 0o644);
    const mode = refuses("NINES_VAULT_CREDENTIALS", /has mode 644/);
    assert.throws(() => readS3Credentials("cloud", open), mode);
  });

  it("come from the environment where no file is named", () => {
    const names = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"] as const;
    const before = names.map((name) => process.env[name]);
    try {
      for (const name of names) delete process.env[name];
      const missing = refuses("NINES_VAULT_CREDENTIALS", /in the environment\.$/);
      assert.throws(() => readS3Credentials("cloud", undefined), missing);
      process.env["AWS_ACCESS_KEY_ID"] = "AKIA";
      process.env["AWS_SECRET_ACCESS_KEY"] = "secret-2";
      const credentials = { accessKeyId: "AKIA", secretAccessKey: "secret-2" };
      assert.deepEqual(readS3Credentials("cloud", undefined), credentials);
    } finally {
      for (const [at, name] of names.entries()) {
        if (before[at] === undefined) delete process.env[name];
        else process.env[name] = before[at];
      }
    }
  });
});
