// The embedded databases, each as its users would set it up for the same promise: what was
// acknowledged survives power loss. A batch of all writers' records is one transaction, which is
// the most that group commit could make of them.

import { join } from "node:path";
import { load } from "../shared/install.ts";

export interface BatchStore {
  /** All of one batch, durable when it returns. */
  write(record: Uint8Array, count: number): void;
  close(): Promise<void>;
}

interface SqliteStatement {
  run(...values: readonly unknown[]): unknown;
}
interface SqliteDatabase {
  pragma(text: string): unknown;
  exec(text: string): unknown;
  prepare(text: string): SqliteStatement;
  transaction<Words extends readonly unknown[]>(
    run: (...words: Words) => void,
  ): (...words: Words) => void;
  close(): unknown;
}
type Sqlite = new (path: string) => SqliteDatabase;

export function openSqlite(folder: string): BatchStore | undefined {
  const Database = load<Sqlite>("better-sqlite3");
  if (Database === undefined) return undefined;
  const database = new Database(join(folder, "sqlite.db"));
  database.pragma("journal_mode = WAL");
  database.pragma("synchronous = FULL");
  database.exec("CREATE TABLE records (sequence INTEGER PRIMARY KEY, payload BLOB NOT NULL)");
  const insert = database.prepare("INSERT INTO records (payload) VALUES (?)");
  const insertAll = database.transaction((record: Uint8Array, count: number) => {
    for (let each = 0; each < count; each++) insert.run(record);
  });
  return {
    write: (record, count) => {
      if (count === 1) insert.run(record);
      else insertAll(record, count);
    },
    close: async () => void database.close(),
  };
}

interface LmdbDatabase {
  transactionSync(run: () => void): void;
  putSync(key: number, value: Uint8Array): void;
  close(): Promise<void>;
}
interface Lmdb {
  open(options: Readonly<Record<string, unknown>>): LmdbDatabase;
}

export function openLmdb(folder: string): BatchStore | undefined {
  const database = load<Lmdb>("lmdb")?.open({
    path: join(folder, "lmdb.db"),
    encoding: "binary",
    // Without this a commit resolves when it is visible, which is before it is on the disk.
    overlappingSync: false,
  });
  if (database === undefined) return undefined;
  let sequence = 0;
  return {
    write: (record, count) => {
      database.transactionSync(() => {
        for (let each = 0; each < count; each++) database.putSync(++sequence, record);
      });
    },
    close: () => database.close(),
  };
}
