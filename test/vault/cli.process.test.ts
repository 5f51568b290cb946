// `nines backup` as a person uses it: the shipped build, real files, real folders as targets.

import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { basename, join } from "node:path";
import { describe, it } from "node:test";
import { place } from "./place.fixture.ts";

function fill(folder: string): void {
  const data = join(folder, "data");
  mkdirSync(join(data, "sub"));
  mkdirSync(join(data, "caché"));
  mkdirSync(join(data, "peöple", "änn"), { recursive: true });
  mkdirSync(join(data, "peöple", "bob"));
  writeFileSync(join(data, "caché", "page"), "not kept");
  writeFileSync(join(data, "peöple", "änn", "mail"), "private");
  writeFileSync(join(data, "peöple", "bob", "mail"), "of bob");
  writeFileSync(join(data, "text"), "all the same, ".repeat(20_000), { mode: 0o640 });
  writeFileSync(Buffer.from(`${data}/sub/n\xff`, "latin1"), "a name that is not UTF-8");
  linkSync(join(data, "text"), join(data, "sub", "again"));
  symlinkSync("../../outside", join(data, "sub", "link"));
  writeFileSync(join(data, "holes"), "x");
  truncateSync(join(data, "holes"), 4_000_000);
  utimesSync(join(data, "sub"), 1_600_000_000.5, 1_600_000_000.5);
}

describe("nines backup", () => {
  it("tells who has nothing yet what to write, and whose folders are not there", (t) => {
    const { folder, nines } = place(t);
    const file = join(folder, "nines.yaml");
    const text = readFileSync(file, "utf8");
    rmSync(file);
    assert.match(
      nines(["run"], 1),
      /no nines\.yaml here.*\n\nbackup:\n {2}keyFile: .*NINES_BACKUP_NONE/s,
    );
    writeFileSync(file, "services: { web: { command: sleep 1000 } }");
    assert.match(nines(["run"], 1), /says nothing of a backup.*\n\nbackup:\n.*sources:/s);
    // A machine may do nothing but back up.
    writeFileSync(file, text.slice(text.indexOf("backup:")));
    for (const name of ["a", "b", "c"]) rmSync(join(folder, name), { recursive: true });
    assert.match(
      nines(["run"], 1),
      new RegExp(`b: .* make it for a first .* mkdir -p ${folder}/b`),
    );
    for (const name of ["a", "b", "c"]) mkdirSync(join(folder, name));
    assert.match(nines(["run"]), /^Snapshot [0-9a-f]{8} of shop: 0 files of 0 B/);
  });

  it("restores files, names, links, modes, times and holes as they were", (t) => {
    const { folder, nines } = place(t);
    fill(folder);
    assert.match(nines(["run"]), /^Snapshot [0-9a-f]{8} of shop: 6 files/);
    assert.match(nines(["restore", "latest", "out"]), /^Restored 6 files/);
    const [data, out] = [join(folder, "data"), join(folder, "out")];
    rmSync(join(data, "caché"), { recursive: true });
    execFileSync("diff", ["-r", "--no-dereference", data, out]);
    assert.equal(statSync(join(out, "text")).mode & 0o777, 0o640);
    assert.equal(statSync(join(out, "sub", "again")).ino, statSync(join(out, "text")).ino);
    assert.equal(readlinkSync(join(out, "sub", "link")), "../../outside");
    assert.equal(lstatSync(join(out, "sub")).mtimeMs, 1_600_000_000_500);
    assert.ok(statSync(join(out, "holes")).blocks < 1_000, "the hole takes no room");
    assert.match(nines(["restore", "latest", "out"], 1), /NINES_RESTORE_PLACE/);
    assert.match(nines(["restore", "latest", "out", "--resume"]), /5 were there/);
  });

  it("restores from any two of three targets, and a verify makes the third whole", (t) => {
    const { folder, nines } = place(t);
    fill(folder);
    nines(["run"]);
    for (const name of ["pack", "key", "index", "snapshot", "vault"]) {
      rmSync(join(folder, "b", name), { recursive: true });
    }
    assert.match(nines(["verify"]), /shards were made anew/);
    rmSync(join(folder, "c", "pack"), { recursive: true });
    nines(["restore", "latest", "out", "--path", "text"]);
    const text = readFileSync(join(folder, "data", "text"));
    assert.deepEqual(readFileSync(join(folder, "out", "text")), text);
  });

  it("is not well while a target takes nothing, though nothing is lost", (t) => {
    const { folder, nines } = place(t);
    fill(folder);
    nines(["run"]);
    const index = join(folder, "c", "index");
    rmSync(index, { recursive: true, force: true });
    symlinkSync("nowhere/at/all", index);
    for (const word of ["scrub", "verify"]) {
      assert.match(nines([word], 1), /^Target c takes nothing in this run: /m);
    }
    rmSync(index);
    assert.match(nines(["verify"]), /made anew/);
  });

  it("mends a flipped byte, and names what more than one of them has taken", (t) => {
    const { folder, nines } = place(t);
    fill(folder);
    for (let at = 0; at < 40; at++)
      writeFileSync(join(folder, "data", `many-${at}`), `${at} of 40`);
    nines(["run"]);
    const packs = packsOn(join(folder, "a"));
    for (const pack of packs) turn(pack);
    const mended = nines(["verify"]);
    assert.match(
      mended,
      /is mended: 1 made anew from the others, since shard \d on a: it is rotten/,
    );
    // The folder itself is in a newer pack, and tells what is lost with the older ones.
    writeFileSync(join(folder, "data", "later"), "later");
    nines(["run"]);
    const idOf = (file: string) => basename(file).slice(0, 32);
    const older = new Set(packs.map(idOf));
    const everywhere = ["a", "b"].flatMap((name) => packsOn(join(folder, name)));
    for (const pack of everywhere) if (older.has(idOf(pack))) turn(pack);
    const lost = nines(["verify"], 1);
    assert.match(lost, /LOST: pack [0-9a-f]{32}/);
    assert.match(lost, /cannot be restored whole/);
    // Who restores is told of each file, not of the first few.
    const told = nines(["restore", "latest", "out"], 1).matchAll(/^LOST: (\S+): /gm);
    const named = [...told].filter(([, name]) => name?.startsWith("many-"));
    assert.equal(named.length, 40);
  });

  it("erases a subject in every snapshot, and nothing else", (t) => {
    const { folder, nines } = place(t);
    fill(folder);
    nines(["run"]);
    nines(["run"]);
    const record = JSON.parse(nines(["erase", "shop", "änn"])) as Record<string, unknown>;
    assert.deepEqual(record["pending"], []);
    const restored = nines(["restore", "latest", "out"]);
    assert.match(restored, /^ERASED: peöple: a subject's folder here was erased$/m);
    assert.doesNotMatch(restored, /LOST/);
    assert.ok(existsSync(join(folder, "out", "peöple", "bob", "mail")));
    assert.ok(!existsSync(join(folder, "out", "peöple", "änn")));
    nines(["verify"]);
    const again = /shop\/änn was erased before\.[^]*NINES_VAULT_ERASED/;
    assert.match(nines(["erase", "shop", "änn"], 1), again);
    assert.match(nines(["erase", "shop", "ännä"], 2), /NINES_SUBJECT_UNKNOWN/);
    const [c, elsewhere] = [join(folder, "c"), join(folder, "unplugged")];
    renameSync(c, elsewhere);
    const pending = nines(["erase", "shop", "bob"], 1);
    assert.match(pending, /"pending": \[\s*"c"\s*\]/);
    const told =
      /Subject [0-9a-f]{16} was erased .* ago; the copy of its key on c is destroyed when/;
    assert.match(nines(["status"], 1), told);
    const keys = readdirSync(join(elsewhere, "key")).length;
    renameSync(elsewhere, c);
    const back = nines(["status"]);
    assert.doesNotMatch(back, /erased|cannot be read/);
    assert.equal(readdirSync(join(c, "key")).length, keys - 1);
    nines(["verify"]);
  });

  it("lists, browses, compares, prunes, and changes its key", (t) => {
    const { folder, nines } = place(t);
    fill(folder);
    nines(["run"]);
    writeFileSync(join(folder, "data", "new"), "new");
    rmSync(join(folder, "data", "holes"));
    chmodSync(join(folder, "data", "sub"), 0o700);
    nines(["run"]);
    const list = JSON.parse(nines(["list", "--json"])) as { id: string }[];
    assert.equal(list.length, 2);
    assert.match(nines(["browse", "latest"]), /3 B .* new\n/);
    const bytes = /^ +24 B .* n\\xff$/m;
    for (const path of ["sub", "sub/n\\xff"])
      assert.match(nines(["browse", "latest", path]), bytes);
    nines(["restore", "latest", "one", "--path", "sub/n\\xff"]);
    assert.equal(readdirSync(join(folder, "one"), "latin1").join(), "n\xff");
    assert.equal(
      nines(["diff", list[0]?.id ?? "", "latest"]),
      "- holes\n+ new\n~ sub: only mode\n",
    );
    const forgetting = ["prune", "--forget", list[0]?.id ?? ""];
    assert.match(
      nines([...forgetting, "--dry-run"]),
      /^lets go .*\nPrune: 1 snapshot and .* would be /,
    );
    assert.doesNotMatch(nines(["list"]), /condemned/);
    assert.match(nines(forgetting), /^lets go .*\nPrune: 1 snapshot and \d+ packs? condemned, /);
    assert.match(nines(["prune", "--forget", "latest"], 1), /NINES_SNAPSHOT_KEPT/);
    for (const words of [
      ["browse", "ff"],
      ["run", "shp"],
      ["target", "adopt", "d"],
    ]) {
      assert.match(nines(words, 2), /NINES_(SNAPSHOT|BACKUP)_UNKNOWN/);
    }
    const nowhere = nines(["restore", "latest", "out", "--path", "nowhere"], 2);
    assert.match(nowhere, /`nines backup browse SNAPSHOT \[FOLDER\]` shows .*NINES_PATH_UNKNOWN/);
    assert.match(nines(["list"]), /, condemned\n/);
    writeFileSync(join(folder, "key2"), `${"1e".repeat(32)}\n`, { mode: 0o600 });
    nines(["key", "rotate", "--to", "key2"]);
    assert.match(nines(["list"], 1), /NINES_VAULT_KEY/);
    writeFileSync(join(folder, "key"), "", { mode: 0o644 });
    assert.match(nines(["list"], 1), /NINES_VAULT_KEY_FILE/);
  });

  it("takes a passphrase, and refuses another one", (t) => {
    const { folder, nines } = place(t);
    const file = join(folder, "nines.yaml");
    const text = readFileSync(file, "utf8").replace("keyFile", "passphraseFile");
    writeFileSync(file, text);
    writeFileSync(join(folder, "data", "one"), "1");
    nines(["run"]);
    nines(["restore", "latest", "out"]);
    writeFileSync(join(folder, "key"), "quite another passphrase", { mode: 0o600 });
    assert.match(nines(["list"], 1), /NINES_VAULT_KEY/);
  });

  it("does not back up the vault into itself", (t) => {
    const { folder, nines } = place(t);
    const file = join(folder, "nines.yaml");
    writeFileSync(file, readFileSync(file, "utf8").replace("path: data", "path: ."));
    // Of what could not be kept all is named, not the first few; and that is another thing.
    const pipes = Array.from({ length: 40 }, (_, at) => `0-pipe-${at}`);
    spawnSync("mkfifo", pipes, { cwd: folder });
    const said = nines(["run"]);
    for (const name of ["a", "b", "c"]) {
      assert.ok(said.includes(`not kept: ${name}: a target of the vault itself\n`), said);
    }
    assert.equal(said.match(/^not kept: 0-pipe-\d+: /gm)?.length, 40, said);
    assert.match(
      said,
      /; 40 entries could not be kept; 3 of the vault's own targets are left out;/,
    );
    assert.match(said, / left out; not met: exclude caché, subjects peöple\/\*\.$/m);
    assert.doesNotMatch(nines(["browse", "latest"]), / [abc]\n/);
    // Nor a folder in it, by whatever name.
    symlinkSync(join("a", "pack"), join(folder, "link"));
    writeFileSync(file, readFileSync(file, "utf8").replace("path: .,", "path: link,"));
    assert.match(nines(["run"], 1), /link is a target of the vault itself, or lies in one\./);
  });

  it("writes nothing where a mount is missing, and says so", (t) => {
    const { folder, nines } = place(t);
    writeFileSync(join(folder, "data", "one"), "1");
    nines(["run"]);
    rmSync(join(folder, "c"), { recursive: true });
    writeFileSync(join(folder, "data", "two"), "2");
    assert.match(nines(["run"], 1), /objects lack shards until targets are back/);
    assert.ok(!existsSync(join(folder, "c")));
    mkdirSync(join(folder, "c"));
    const away = /^Target c is away: it is empty, .*: nines backup target adopt c\.$/m;
    for (const words of [["run"], ["list"], ["status"], ["verify"]]) {
      const said = nines(words, 1);
      assert.match(said, away);
      assert.equal(said.match(/\bc\b/g)?.length, words[0] === "status" ? 3 : 2, "said once");
    }
    assert.deepEqual(readdirSync(join(folder, "c")), []);
    assert.match(nines(["target", "adopt", "c"]), /^Target c is new/);
    assert.match(nines(["verify"]), /shards were made anew/);
    nines(["status"]);
  });

  it("calls nothing lost that may lie on a target that is away, and names it", (t) => {
    const { folder, nines } = place(t);
    writeFileSync(join(folder, "data", "one"), "1");
    nines(["run"]);
    renameSync(join(folder, "c"), join(folder, "away"));
    writeFileSync(join(folder, "data", "two"), "2");
    nines(["run"], 1);
    renameSync(join(folder, "away"), join(folder, "c"));
    writeFileSync(join(folder, "data", "three"), "3");
    nines(["run"]);
    renameSync(join(folder, "a"), join(folder, "away"));
    const restored = nines(["restore", "latest", "out"], 1);
    assert.match(restored, /^AWAY: two: .* while a cannot be reached$/m);
    const verified = nines(["verify"], 1);
    assert.match(verified, /^AWAY: [0-9a-f]{8} two: .* while a cannot be reached$/m);
    assert.doesNotMatch(`${restored}${verified}`, /LOST/);
  });
});

function packsOn(target: string): readonly string[] {
  const folders = readdirSync(join(target, "pack")).map((digit) => join(target, "pack", digit));
  return folders.flatMap((folder) => readdirSync(folder).map((name) => join(folder, name)));
}

function turn(file: string): void {
  const bytes = readFileSync(file);
  bytes[150] = (bytes[150] ?? 0) ^ 4;
  writeFileSync(file, bytes);
}
