// Who of a service's instances takes traffic, and who takes over, as it is written:
// `services.NAME.failover`. What the words do is core/failover.

import { z } from "zod";
import { serviceModes } from "../core/route/table.ts";
import { choice, duration, field, flag, text } from "./fields.ts";

const instanceName = text(
  'an instance such as "web-2", or "cache-10.0.0.7:6379" of an endpoint',
  "web-2",
  /^[a-z][a-z0-9-]*-\S+$/,
);

export const failover = z.strictObject({
  mode: field(choice(serviceModes).prefault("active-active"), {
    meaning:
      "`active-active`: all instances take traffic. `primary-standby`: one does, the others are kept " +
      "ready; when it is lost, another takes over, never two at a time. `hot-standby`: an instance " +
      "named in `backups` takes traffic exactly while the one that it stands in for does not.",
    interaction:
      "`primary-standby` is for what must have one writer, and needs two instances. While control is " +
      "away nobody takes over: workers wait for the primary that they know.",
    see: ["services.NAME.failover.order", "services.NAME.failover.backups"],
  }),
  order: field(z.array(instanceName).min(1).max(1000).optional(), {
    meaning:
      "Whom `primary-standby` prefers, first to last. Instances that are not named come last; of " +
      "them the one that has been well for longest goes first.",
    default: "by their number, `web-1` first; endpoints as written",
    see: ["services.NAME.failover.failback"],
  }),
  backups: field(z.record(instanceName, instanceName).prefault({}), {
    meaning:
      "In `hot-standby`: who stands in for whom, `{ web-1: web-4 }`. Each worker decides at once, by " +
      "what it sees itself, also while control is away. An instance that is nobody's backup takes " +
      "traffic as ever.",
    interaction:
      "For endpoints, `backup: true` is the simpler form: it stands in for all others together.",
    see: ["services.NAME.endpoints[].backup"],
  }),
  failback: field(choice(["automatic", "manual"]).prefault("automatic"), {
    meaning:
      "What follows in `primary-standby` when the preferred instance is well again. `automatic`: it " +
      "gets its place back after `minimumHealthy`, by a planned move that costs no request. " +
      "`manual`: on `nines failback`.",
    interaction:
      "After `nines failover` it stays where the operator moved it, until `nines failback` or until " +
      "that one is lost.",
    source:
      "keepalived preempts by default, VRRP's `preempt_delay` holds it off; Patroni and the other " +
      "PostgreSQL managers leave it to the operator.",
    see: ["services.NAME.failover.minimumHealthy"],
  }),
  minimumHealthy: field(duration("0s", "1d").prefault("30s"), {
    meaning:
      "How long the preferred instance must have been well, without a break, before it gets its " +
      "place back.",
    source: "Nomad's `min_healthy_time` is 10 s; longer here, for a failback is never urgent.",
    see: ["services.NAME.failover.failback"],
  }),
  drain: field(duration("0s", "10m").prefault("2s"), {
    meaning:
      "Longest that a planned move waits for requests under way on the old primary. New ones wait in " +
      "the gateway meanwhile. What is left then is cut; with `fence: 0s`, where nobody may work beside " +
      "a new primary, the move is given up instead, and an automatic failback begins anew.",
    interaction: "Shorter than `gateway.timeouts.queue`, or requests are refused meanwhile.",
    see: ["gateway.timeouts.queue"],
  }),
  fence: field(duration("0s", "1m").prefault("0s"), {
    meaning:
      "A primary that runs and fails its checks is taken from all workers, which cut what they have " +
      "with it and say so. Longest wait for their word; then it is killed, and started again to " +
      "stand by. `0s` kills it at once: one that hangs and goes on later would still do what it had " +
      "received, beside the new primary.",
    interaction:
      "Workers answer within milliseconds; with `500ms`, only one that is stopped does not. Choose " +
      "that where a start is dear and a late write does no harm.",
    source: "STONITH of Pacemaker; the watchdog of Patroni.",
    see: ["services.NAME.failover.unfenced"],
  }),
  unfenced: field(choice(["wait", "promote"]).prefault("wait"), {
    meaning:
      "What follows after `fence` for an endpoint, which Nines cannot kill. `wait`: nobody takes over " +
      "before every worker has said that it sends nothing to the old primary, or is dead. " +
      "`promote`: somebody does, and for a moment there may be two.",
    see: ["services.NAME.failover.fence"],
  }),
  predictive: field(flag().prefault(false), {
    meaning:
      "Replaces an instance before it fails: one whose memory grows towards `limits.memory`, or whose " +
      "checks take longer and longer towards `health.timeout`, so steadily that the limit is reached " +
      "within ten minutes. It takes five minutes of history to say so. Replaced as in a rolling " +
      "change, one at a time, and only while another serves and all are well.",
    interaction: "For `command` services. Said as `instance.degrading`, also when it must wait.",
    source: "Theil-Sen slopes, and the Mann-Kendall test at z = 4.",
    see: ["services.NAME.limits.memory", "services.NAME.health.timeout"],
  }),
});

export type WrittenFailover = z.output<typeof failover>;
