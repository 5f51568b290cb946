// The promises of a target, kept by a bucket of a server that others have written (s3rver, from
// npm), which knows nothing of our client and of our own store.

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { locate } from "../../bench/shared/install.ts";
import { createPrng } from "../../src/core/base/prng.ts";
import { createClock } from "../../src/runtime/clock.ts";
import { createS3Target } from "../../src/runtime/s3-target.ts";
import { targetConformance } from "./target.ts";

const credentials = { accessKeyId: "S3RVER", secretAccessKey: "S3RVER" };
let made = 0;

// Its own process, for its tokens of long listings need a cipher that OpenSSL 3 keeps apart.
const s3rver = locate("s3rver/bin/s3rver.js");
if (s3rver === undefined) {
  test("a bucket of s3rver", { skip: "s3rver is not installed: npm ci --prefix bench" }, () => {});
} else {
  const directory = mkdtempSync(join(tmpdir(), "nines-s3rver-"));
  const words = ["-d", directory, "-a", "127.0.0.1", "-p", "0"];
  const server = spawn(
    process.execPath,
    ["--openssl-legacy-provider", s3rver, ...words, "--configure-bucket", "vaults"],
    { stdio: ["ignore", "pipe", "ignore"] },
  );
  after(() => {
    server.kill("SIGKILL");
    rmSync(directory, { recursive: true, force: true });
  });
  const endpoint = new Promise<string>((resolve, reject) => {
    let said = "";
    server.once("exit", () => reject(new Error(`s3rver has ended: ${said}`)));
    server.stdout.on("data", (text) => {
      said = `${said}${String(text)}`.slice(0, 1_000);
      const port = /listening on \S+?:(\d+)/.exec(said)?.[1];
      if (port !== undefined) resolve(`http://127.0.0.1:${port}`);
    });
  });
  targetConformance("a bucket of s3rver", async (check) => {
    const region = "us-east-1";
    const place = { endpoint: await endpoint, bucket: "vaults", region, virtualHost: false };
    const options = {
      name: "cloud",
      domain: "cloud",
      clock: createClock({ keepAlive: true }),
      random: createPrng(1),
      timeoutMs: 30_000,
    };
    // Each check has a bucket as good as empty: one prefix of its own.
    const prefix = `p${++made}`;
    await check(createS3Target({ ...options, place, prefix, credentials }));
  });
}
