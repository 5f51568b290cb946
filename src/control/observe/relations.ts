// What an incident has to do with others: several services in trouble at one moment have seldom
// several causes. Said as notes on each; the incidents stay those of their services.

import { sayDuration } from "../../core/base/duration.ts";
import type { Account } from "../../core/incident/fold.ts";

/** Beginnings this close are told of each other. */
const togetherMs = 2_000;
/** A worker whose event loop is so late has too little processor time. */
const starvedMs = 200;

export interface Surroundings {
  readonly nowMs: number;
  readonly controlStartedMs: number;
  readonly term: number;
  readonly loopDelayMs: number;
}

export interface Note {
  readonly service: string;
  readonly sentence: string;
}

/** Notes on an incident that has just begun, and on those that began with it. */
export function relate(
  opened: Account,
  others: readonly Account[],
  { nowMs, controlStartedMs, term, loopDelayMs }: Surroundings,
): readonly Note[] {
  const notes: Note[] = [];
  const { incident, service } = opened;
  if (incident === undefined) return notes;
  for (const other of others) {
    if (other.service === service || other.incident === undefined) continue;
    const apartMs = Math.abs(other.incident.startedMs - incident.startedMs);
    if (apartMs > togetherMs) continue;
    const say = (id: string, of: string): string =>
      `began within ${sayDuration(apartMs)} of incident ${id} of ${of}`;
    notes.push({ service, sentence: say(other.incident.id, other.service) });
    notes.push({ service: other.service, sentence: say(incident.id, service) });
  }
  if (loopDelayMs >= starvedMs) {
    const late = `a worker's event loop was ${sayDuration(loopDelayMs)} late`;
    notes.push({ service, sentence: `the machine was short of processor time: ${late}` });
  }
  if (nowMs - controlStartedMs <= togetherMs) {
    const age = sayDuration(nowMs - controlStartedMs);
    notes.push({ service, sentence: `control (term ${term}) had started ${age} before` });
  }
  return notes;
}
