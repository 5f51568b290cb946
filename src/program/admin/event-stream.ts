// What a follower of events gets, as server-sent events: those that came after the one it had last,
// then each as it happens.
//
// A browser's EventSource reads this, and so does `curl -N`. Each event carries its number as `id`,
// so that a follower that was cut off goes on where it was (Last-Event-ID). Numbers grow by one
// over restarts; events are kept up to a bound. Where that bound has passed the follower by, or its
// number is of another count (the state directory was made anew), it is told so by a `gap` event
// before the rest, and never left to believe that it has seen all. Rejected: an error status, which
// EventSource answers by giving up for ever.

import type { RecordedEvent } from "../../runtime/event-log.ts";
import type { EventGap } from "./answers.ts";

export interface EventSource {
  /** Oldest first. */
  events(): readonly RecordedEvent[];
  subscribe(listener: (event: RecordedEvent) => void): Disposable;
}

/** How long an EventSource waits before it asks again; its own default is some seconds. */
export const RETRY_MS = 1000;

export interface Since {
  readonly gap?: EventGap;
  readonly events: readonly RecordedEvent[];
}

/** Of those kept, oldest first, what one does not have whose last is `after`. */
export function since(kept: readonly RecordedEvent[], after: number | undefined): Since {
  if (after === undefined) return { events: kept };
  const next = kept[0]?.number ?? 1;
  const newest = kept.at(-1)?.number ?? 0;
  if (after > newest || after + 1 < next) return { gap: { after, next }, events: kept };
  return { events: kept.filter(({ number }) => number > after) };
}

/** Writes until disposed. */
export function streamEvents(
  source: EventSource,
  after: number | undefined,
  write: (text: string) => void,
): Disposable {
  const { gap, events } = since(source.events(), after);
  write(`retry: ${RETRY_MS}\n\n`);
  if (gap !== undefined) write(`event: gap\ndata: ${JSON.stringify(gap)}\n\n`);
  const send = (event: RecordedEvent) =>
    write(`id: ${event.number}\ndata: ${JSON.stringify(event)}\n\n`);
  for (const event of events) send(event);
  return source.subscribe(send);
}
