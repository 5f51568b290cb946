// What an instance's agent says of it in one line, as HAProxy's agent-check reads it.
//
// Words in any order, between spaces, tabs or commas, in either case; a `#` begins a reason that
// goes to the end of the line (HAProxy 2.6, configuration.txt, "agent-check"):
//
//   75%            its weight, of the one that the file gives it; 0% is as good as drain
//   maxconn:30     how many requests at once it takes; 0 is no limit
//   up down fail stopped    whether it works; the last three differ for people alone
//   ready drain maint       whether it is to get new traffic
//
// What a line does not say stays as it was. So a line that is not understood must change nothing at
// all: it is refused as a whole, with what is wrong. Rejected: HAProxy's way of taking the words
// that it knows and leaving the others, which makes half a sentence of a typing error.

export const operatingWords = ["up", "down", "fail", "stopped"] as const;
export type OperatingWord = (typeof operatingWords)[number];

export const administrativeWords = ["ready", "drain", "maint"] as const;
export type AdministrativeWord = (typeof administrativeWords)[number];

/** What one line says; a field that is absent was not said. */
export interface AgentLine {
  readonly operating?: OperatingWord;
  /** After the `#`; empty without one. */
  readonly reason: string;
  readonly administrative?: AdministrativeWord;
  readonly weightPercent?: number;
  readonly maxConnections?: number;
}

export type AgentReading = AgentLine | { readonly refused: string };

/** HAProxy takes no more of a percentage than this, and no weight above 256. */
export const PERCENT_MAX = 25_600;
const MAX_CONNECTIONS_MAX = 1_000_000;
const WORD_SHOWN_MAX = 40;
const REASON_MAX = 200;

/** `line` without its end. */
export function readAgentLine(line: string): AgentReading {
  const hash = line.indexOf("#");
  const reason = hash < 0 ? "" : printable(line.slice(hash + 1).trim()).slice(0, REASON_MAX);
  const words = (hash < 0 ? line : line.slice(0, hash)).split(/[ \t,]+/).filter(Boolean);
  if (words.length === 0) return { refused: "it says nothing" };
  let said: AgentLine = { reason };
  for (const word of words) {
    const part = readWord(word.toLowerCase());
    if (part === undefined) return { refused: `"${shown(word)}" is no word of an agent` };
    const field = Object.keys(part)[0] as keyof AgentLine;
    if (field in said && said[field] !== part[field]) {
      return { refused: `"${shown(word)}" contradicts what stands before it` };
    }
    said = { ...said, ...part };
  }
  return said;
}

function readWord(word: string): Partial<AgentLine> | undefined {
  const operating = operatingWords.find((one) => one === word);
  if (operating !== undefined) return { operating };
  const administrative = administrativeWords.find((one) => one === word);
  if (administrative !== undefined) return { administrative };
  const [, percent, connections] = /^(?:(\d{1,5})%|maxconn:(\d{1,7}))$/.exec(word) ?? [];
  if (percent !== undefined && Number(percent) <= PERCENT_MAX) {
    return { weightPercent: Number(percent) };
  }
  if (connections === undefined || Number(connections) > MAX_CONNECTIONS_MAX) return undefined;
  return { maxConnections: Number(connections) };
}

function shown(word: string): string {
  return printable(word).slice(0, WORD_SHOWN_MAX);
}

/** It goes into logs, onto terminals and onto a page. */
export function printable(text: string): string {
  return text.replaceAll(/[^\x20-\x7e]/g, "?");
}
