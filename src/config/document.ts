// A text as a plain value, with the place where each part of it stands.
//
// One reader for YAML and JSON, which YAML includes. The library makes the syntax tree; the walk
// from tree to value is ours, because it must do what `toJS` does not: remember places, refuse
// duplicate keys and names such as __proto__, keep numbers as they were written where they are
// text, and count what aliases expand to (nine lines of anchors can stand for a billion nodes).
// Everything is bounded, and nothing throws, whatever the text.

import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  type Scalar,
  type YAMLMap,
} from "yaml";
import type { Path, Problem } from "./problems.ts";

const TEXT_LENGTH_MAX = 1024 * 1024;
const NODES_MAX = 100_000;
const DEPTH_MAX = 32;
const SYNTAX_PROBLEMS_MAX = 5; // one slip makes many; the first are worth reading

/** The library's words for what people do most often wrong, said without its jargon. */
const syntaxAdvice: Readonly<Record<string, readonly [what: string, remedy: string]>> = {
  BAD_INDENT: ["this line does not line up with those it belongs to", "Indent them alike."],
  BAD_SCALAR_START: ["a value cannot start with this character", "Put the value in quotes."],
  BLOCK_AS_IMPLICIT_KEY: [
    "a second key stands in this line",
    "Put it on a line of its own, indented, or in quotes if it is a value.",
  ],
  MISSING_CHAR: ["a quote or bracket is not closed", "Close it; it may have begun further up."],
  MULTILINE_IMPLICIT_KEY: ["a key has no colon, or goes over two lines", "Write `key: value`."],
  MULTIPLE_DOCS: ["a second document begins", "Write one; leave lines of --- or ... out."],
  NON_STRING_KEY: ["a list or a map is used as a key", "Use text as the key."],
  RESOURCE_EXHAUSTION: ["is nested too deeply", "Nest less deeply."],
  TAB_AS_INDENT: ["a tab indents this line", "Indent with spaces."],
  TAG_RESOLVE_FAILED: ["has a tag, a word that starts with !", "Leave the tag out."],
};
const unclosedAdvice = ["a bracket or brace is not closed before this", "Close it."] as const;

export interface PlainDocument {
  /** Undefined, with problems, when there is nothing to go on with. */
  readonly value: unknown;
  readonly problems: readonly Problem[];
  /** Where the value at a path stands, or its key; of a missing one, where its map does. */
  readonly locate: (path: Path, what: "key" | "value") => Place;
}

export interface Place {
  readonly line?: number;
  readonly column?: number;
}

/** `isText` says where a number is meant as text, so that `1.10` stays what was written. */
export function readText(text: string, isText: (path: Path) => boolean): PlainDocument {
  if (text.length > TEXT_LENGTH_MAX) {
    return failed("is longer than 1 MiB", "Nines reads no longer files; leave something out.");
  }
  const lines = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    stringKeys: true,
    uniqueKeys: false, // the walk finds them; the library compares every key with every other
    version: "1.2",
  });
  const faults = [...document.errors, ...document.warnings].slice(0, SYNTAX_PROBLEMS_MAX);
  if (faults.length > 0) {
    const problems = faults.map(({ code, message, pos }) => {
      const { line, col } = lines.linePos(pos[0]);
      const unclosed = code === "BAD_INDENT" && message.startsWith("Flow");
      const plain = [message, "Mend this line, or the one before it."] as const;
      const [what, remedy] = unclosed ? unclosedAdvice : (syntaxAdvice[code] ?? plain);
      return { level: "error", path: [], line, column: col, what, remedy } as const;
    });
    return { value: undefined, problems, locate: () => ({}) };
  }
  const walk = new TreeWalk(lines, isText);
  const value = walk.read(document.contents, [], 0);
  return {
    value: walk.exhausted ? undefined : value,
    problems: walk.problems,
    locate: (path, what) => walk.locate(path, what),
  };
}

/** What a program made, copied: getters are run once, here, and cycles and classes refused. */
export function readValue(made: unknown): PlainDocument {
  const walk = new ValueWalk();
  try {
    const value = walk.read(made, [], 0);
    const { exhausted, problems } = walk;
    return { value: exhausted ? undefined : value, problems, locate: () => ({}) };
  } catch (error) {
    // Only a getter or a proxy of the program throws here.
    const message = error instanceof Error ? error.message : "it throws";
    return failed(`cannot be read: ${message}`, "Export plain maps, lists, text and numbers.");
  }
}

function failed(what: string, remedy: string): PlainDocument {
  const problem = { level: "error", path: [], what, remedy } as const;
  return { value: undefined, problems: [problem], locate: () => ({}) };
}

/** What both walks count and refuse. */
abstract class Walk {
  readonly problems: Problem[] = [];
  #nodes = 0;

  /** Past the bound: what was read is not all. */
  get exhausted(): boolean {
    return this.#nodes > NODES_MAX;
  }

  /** Whether to go on into one more node. Says so once when not. */
  protected enter(path: Path, depth: number): boolean {
    this.#nodes += 1;
    if (this.#nodes > NODES_MAX + 1) return false;
    if (this.#nodes > NODES_MAX) {
      this.refuse(
        [],
        `has more than ${NODES_MAX} values`,
        "Leave something out; mind the aliases.",
      );
    } else if (depth > DEPTH_MAX) {
      this.refuse(path.slice(0, 8), `is nested deeper than ${DEPTH_MAX}`, "Nest less deeply.");
    } else {
      return true;
    }
    return false;
  }

  protected text(path: Path, text: string): string {
    if (text.includes("\0")) this.refuse(path, "has a NUL character in it", "Leave it out.");
    return text;
  }

  /** Whether the key may be used. */
  protected key(path: Path, key: string): boolean {
    if (key !== "__proto__") return true;
    this.refuse([...path, key], "cannot be a name", "Choose another one.");
    return false;
  }

  protected refuse(path: Path, what: string, remedy: string): void {
    this.problems.push({ level: "error", path, ...this.locate(path, "key"), what, remedy });
  }

  abstract locate(path: Path, what: "key" | "value"): Place;
}

/** Offsets of a key and its value. */
interface Offsets {
  readonly key: number;
  readonly value: number;
}

class TreeWalk extends Walk {
  readonly #lines: LineCounter;
  readonly #isText: (path: Path) => boolean;
  readonly #offsets = new Map<string, Offsets>();
  /** In the order of the text, which is the order in which aliases see them. */
  readonly #anchors = new Map<string, Node>();

  constructor(lines: LineCounter, isText: (path: Path) => boolean) {
    super();
    this.#lines = lines;
    this.#isText = isText;
  }

  read(node: Node | null, path: Path, depth: number): unknown {
    if (!this.enter(path, depth)) return undefined;
    if (isAlias(node)) {
      const target = this.#anchors.get(node.source);
      if (target !== undefined) return this.read(target, path, depth + 1);
      this.refuse(path, `has no anchor &${node.source} before it`, "Define the anchor first.");
      return undefined;
    }
    if (node?.anchor !== undefined) this.#anchors.set(node.anchor, node);
    if (isMap(node)) return this.#map(node as YAMLMap<Scalar, Node | null>, path, depth);
    if (isSeq(node)) {
      return (node.items as (Node | null)[]).map((item, index) => {
        const below = [...path, index];
        const offset = item?.range?.[0] ?? node.range?.[0] ?? 0;
        this.#place(below, { key: offset, value: offset });
        return this.read(item, below, depth + 1);
      });
    }
    return isScalar(node) ? this.#scalar(node, path) : null;
  }

  #map(node: YAMLMap<Scalar, Node | null>, path: Path, depth: number): Record<string, unknown> {
    const map: Record<string, unknown> = {};
    for (const { key, value } of node.items) {
      const name = isScalar(key) ? String(key.value) : "";
      if (key?.anchor !== undefined) this.#anchors.set(key.anchor, key);
      const offset = key?.range?.[0] ?? node.range?.[0] ?? 0;
      const below = [...path, name];
      const first = Object.hasOwn(map, name) ? this.locate(below, "key").line : undefined;
      this.#place(below, { key: offset, value: value?.range?.[0] ?? offset });
      if (first !== undefined) {
        this.refuse(below, `is there twice, first on line ${first}`, "Keep one of the two.");
      }
      if (this.key(path, name)) map[name] = this.read(value, below, depth + 1);
    }
    return map;
  }

  #scalar(node: Scalar, path: Path): unknown {
    const { value, source } = node;
    if (typeof value === "string") return this.text(path, value);
    const numeric = typeof value === "number" || typeof value === "boolean";
    return numeric && source !== undefined && this.#isText(path) ? source : value;
  }

  #place(path: Path, offsets: Offsets): void {
    this.#offsets.set(JSON.stringify(path), offsets);
  }

  /** Of what is not there, the place of what should hold it. */
  locate(path: Path, what: "key" | "value"): Place {
    for (let length = path.length; length > 0; length--) {
      const offsets = this.#offsets.get(JSON.stringify(path.slice(0, length)));
      if (offsets === undefined) continue;
      const exact = length === path.length;
      const { line, col } = this.#lines.linePos(exact ? offsets[what] : offsets.key);
      return { line, column: col };
    }
    return { line: 1, column: 1 };
  }
}

class ValueWalk extends Walk {
  read(made: unknown, path: Path, depth: number): unknown {
    if (!this.enter(path, depth)) return undefined;
    if (typeof made === "string") return this.text(path, made);
    if (Array.isArray(made)) {
      return Array.from(made, (item, index) => this.read(item, [...path, index], depth + 1));
    }
    if (typeof made === "object" && made !== null) return this.#map(made, path, depth);
    if (typeof made === "function" || typeof made === "symbol" || typeof made === "bigint") {
      this.refuse(path, `is a ${typeof made}`, "Use maps, lists, text, numbers, true and false.");
      return undefined;
    }
    return made;
  }

  #map(made: object, path: Path, depth: number): Record<string, unknown> | undefined {
    const prototype: unknown = Object.getPrototypeOf(made);
    // A plain map of another realm has a prototype of its own, whose prototype is null.
    if (prototype !== null && Object.getPrototypeOf(prototype) !== null) {
      this.refuse(path, "is an instance of a class", "Use a plain map.");
      return undefined;
    }
    const map: Record<string, unknown> = {};
    for (const [name, value] of Object.entries(made)) {
      // A key that is undefined is as good as absent in JavaScript.
      if (value === undefined || !this.key(path, name)) continue;
      map[name] = this.read(value, [...path, name], depth + 1);
    }
    return map;
  }

  locate(): Place {
    return {};
  }
}
