// `nines events --admin URL`: what the event log here would say, asked for over the network.

import { setTimeout as pause } from "node:timers/promises";
import { formatEvent, type RecordedEvent } from "../../runtime/event-log.ts";
import type { EventGap } from "../admin/answers.ts";
import { callAdmin, followAdmin, isAway } from "../admin/client.ts";
import { adminPlace } from "./admin-place.ts";
import type { EventsOptions } from "./actions.ts";
import { complain, exitCode, say } from "./say.ts";

const ANSWER_TIMEOUT_MS = 5_000;
const RETRY_MS = 1_000;

export async function remoteEvents(options: EventsOptions): Promise<number> {
  const place = adminPlace(options);
  const call = { ...place, method: "GET", path: "/v1/events" } as const;
  const kept = await callAdmin({ ...call, timeoutMs: ANSWER_TIMEOUT_MS });
  const events = kept as readonly RecordedEvent[];
  for (const event of events.slice(Math.max(0, events.length - options.lines))) show(event);
  if (options.follow !== true) return exitCode.done;
  const interrupted = new AbortController();
  process.once("SIGINT", () => interrupted.abort());
  const { signal } = interrupted;
  let last = events.at(-1)?.number ?? 0;
  const hear = (name: string, data: unknown): void => {
    if (name === "gap") return sayGap(data as EventGap);
    const event = data as RecordedEvent;
    last = event.number;
    show(event);
  };
  while (!signal.aborted) {
    const path = `/v1/events/stream?after=${last}`;
    await followAdmin(place, path, hear, signal).catch(unlessAway);
    await pause(RETRY_MS, undefined, { signal }).catch(() => undefined);
  }
  return exitCode.done;

  function show(event: RecordedEvent): void {
    say(options.json === true ? JSON.stringify(event) : formatEvent(event));
  }
}

function sayGap({ after, next }: EventGap): void {
  complain(`What came between event ${after} and event ${next} is not kept any more.`);
}

/** A control that restarts is back in a moment; everything else is for whoever asked. */
function unlessAway(error: unknown): void {
  if (!isAway(error)) throw error;
}
