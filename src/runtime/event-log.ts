// Every event goes four ways: a line of JSON on disk, a ring in memory for the API, whoever
// follows, and a readable line on the terminal.
//
// A line is written at once and whole (one appending write), so that the last word before a `kill
// -9` is there. When the disk refuses, the entry is lost to the file alone; that is said once, and
// once more when it works again, with the number lost. The file is bounded by moving it aside; we
// alone write it. Rejected: pino. Its merit is speed at volume and its transports; these are a few
// lines a minute, each of which must be on disk before the next decision.

import { closeSync, fstatSync, openSync, readSync, renameSync, writeSync } from "node:fs";
import type { Clock } from "../ports/clock.ts";
import type { EventEntry, EventLevel, Events } from "../ports/events.ts";

export interface RecordedEvent extends EventEntry {
  /** Counts up over restarts, so that a follower can go on where it was. */
  readonly number: number;
  /** Wall time, ISO 8601 in UTC. */
  readonly time: string;
}

export interface EventLog extends Events, Disposable {
  /** The newest last, 1,000 at most, those of earlier runs included. */
  recent(): readonly RecordedEvent[];
  subscribe(listener: (event: RecordedEvent) => void): Disposable;
  readonly [Symbol.dispose]: () => void;
}

export interface EventLogOptions {
  readonly file: string;
  readonly clock: Pick<Clock, "wallMs">;
  /** Where the readable line goes, without its end of line. Absent: nowhere. */
  readonly print?: (event: RecordedEvent) => void;
  readonly rotateBytes?: number;
}

const recentMax = 1_000;
const rotateBytesDefault = 4 * 1024 * 1024;
const filesKept = 3;
const sentenceLengthMax = 2_000;
const tailBytes = 512 * 1024;

export function createEventLog(options: EventLogOptions): EventLog {
  const ring: RecordedEvent[] = [...readRecentEvents(options.file)];
  const listeners = new Set<(event: RecordedEvent) => void>();
  const file = createBoundedFile(options.file, options.rotateBytes ?? rotateBytesDefault);
  let number = ring.at(-1)?.number ?? 0;
  let lost = 0;

  function announce(entry: EventEntry): RecordedEvent {
    const time = new Date(options.clock.wallMs()).toISOString();
    const sentence = entry.sentence.slice(0, sentenceLengthMax);
    const event = { ...entry, number: ++number, time, sentence };
    ring.push(event);
    if (ring.length > recentMax) ring.shift();
    for (const listener of listeners) listener(event);
    options.print?.(event);
    return event;
  }

  function record(entry: EventEntry): void {
    const failure = file.append(announce(entry));
    if (failure !== undefined && lost++ === 0) {
      const sentence = `The event log cannot be written (${failure}); events are kept in memory only.`;
      announce({ kind: "events.write-failed", level: "error", sentence });
    }
    if (failure === undefined && lost > 0) {
      const sentence = `The event log can be written again; it misses ${lost} events.`;
      lost = 0;
      file.append(announce({ kind: "events.write-resumed", level: "warning", sentence }));
    }
  }

  return {
    record,
    recent: () => ring.slice(),
    subscribe(listener) {
      listeners.add(listener);
      return { [Symbol.dispose]: () => void listeners.delete(listener) };
    },
    [Symbol.dispose]: () => file.close(),
  };
}

/** The newest events of the file, oldest first; for readers without a control to ask. */
export function readRecentEvents(path: string): readonly RecordedEvent[] {
  const lines = [`${path}.1`, path].flatMap((one) => readTail(one).split("\n"));
  return lines.flatMap((line) => parseEvent(line)).slice(-recentMax);
}

const marks: Readonly<Record<EventLevel, string>> = { info: " ", warning: "!", error: "!!" };

/** "14:03:07 !  web-2 restarts in 200 ms: exit code 1 after 12 s" */
export function formatEvent(event: RecordedEvent): string {
  const at = new Date(event.time);
  const two = (value: number): string => String(value).padStart(2, "0");
  const clock = [at.getHours(), at.getMinutes(), at.getSeconds()].map(two).join(":");
  return `${clock} ${marks[event.level].padEnd(2)} ${event.sentence}`;
}

/** One event, or none when the line is not one. */
export function parseEvent(line: string): readonly RecordedEvent[] {
  if (!line.startsWith("{")) return [];
  try {
    const event = JSON.parse(line) as Partial<RecordedEvent>;
    const whole =
      typeof event.number === "number" &&
      typeof event.time === "string" &&
      typeof event.kind === "string" &&
      typeof event.sentence === "string" &&
      event.level !== undefined &&
      event.level in marks;
    return whole ? [event as RecordedEvent] : [];
  } catch {
    // Cut off by a full disk, or by the beginning of the tail.
    return [];
  }
}

function readTail(path: string): string {
  let descriptor: number | undefined;
  try {
    descriptor = openSync(path, "r");
    const { size } = fstatSync(descriptor);
    const bytes = Buffer.alloc(Math.min(size, tailBytes));
    const read = readSync(descriptor, bytes, 0, bytes.length, size - bytes.length);
    return bytes.toString("utf8", 0, read);
  } catch {
    return "";
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

interface BoundedFile {
  /** Why it failed, or undefined. */
  append(event: RecordedEvent): string | undefined;
  close(): void;
}

function createBoundedFile(path: string, rotateBytes: number): BoundedFile {
  let descriptor: number | undefined;
  /** A line that a full disk or a kill cut short must not swallow the next one. */
  let torn = !endsWithLine(path);

  function close(): void {
    if (descriptor !== undefined) closeSync(descriptor);
    descriptor = undefined;
  }

  function append(event: RecordedEvent): string | undefined {
    try {
      descriptor ??= openSync(path, "a", 0o600);
      if (fstatSync(descriptor).size > rotateBytes) {
        close();
        moveAside(path);
        descriptor = openSync(path, "a", 0o600);
      }
      const line = Buffer.from(`${torn ? "\n" : ""}${JSON.stringify(event)}\n`);
      torn = true;
      if (writeSync(descriptor, line) < line.length) return "the disk is full";
      torn = false;
      return undefined;
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }

  return { append, close };
}

function endsWithLine(path: string): boolean {
  const tail = readTail(path);
  return tail === "" || tail.endsWith("\n");
}

function moveAside(path: string): void {
  for (let age = filesKept - 1; age >= 1; age--) {
    const from = age === 1 ? path : `${path}.${age - 1}`;
    try {
      renameSync(from, `${path}.${age}`);
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
    }
  }
}
