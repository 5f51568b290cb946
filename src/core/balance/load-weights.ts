// Weights that follow what instances report of their load (load-report.ts): who has more to spare
// gets more.
//
// gRPC's weighted round robin (gRFC A58): an instance's weight is what it could do at full load,
//
//   rate / (utilization + errors / rate)
//
// so that all come to the same utilization, whatever else runs beside them and however large their
// machines are. A report counts once an instance has reported for 10 s, since what just began looks
// idle, and until 3 min after the last one. Who reports nothing is average. The rate is the
// instance's own word, or else what this worker sends it: its clients see the same shares.
//
// A weight stays between an eighth and eight times the file's, whatever is reported: a report that
// lies moves traffic, and starves nobody. Changes of less than an eighth are not made, or the
// algorithms would be told of all instances each second. Keys stay where they are: those that hash
// go by the table's weights.

import { grown } from "../base/grown.ts";
import type { LoadReport } from "./load-report.ts";

const PERIOD_MS = 1_000;
const NEW_FOR_MS = 10_000;
const KEPT_MS = 180_000;
const FACTOR_MAX = 8;
/** What an average instance weighs: small enough for eight times as much. */
const UNIT = 32;
const WEIGHT_MAX = 256;

/** Of the dispatcher's slots. */
export interface Weighed {
  readonly count: number;
  readonly listed: Uint8Array;
  /** The table's, and that in force. */
  readonly tableWeight: Int32Array;
  readonly weight: Int32Array;
}

export class LoadWeights {
  readonly #slots: Weighed;
  /** By slot; -Infinity: nothing was reported. */
  #firstMs = new Float64Array(0);
  #lastMs = new Float64Array(0);
  #utilization = new Float64Array(0);
  #saidRate = new Float64Array(0);
  #errors = new Float64Array(0);
  /** Since the last sweep, and in a second before it. */
  #answers = new Int32Array(0);
  #rate = new Float64Array(0);
  #sweptMs = -Infinity;

  constructor(slots: Weighed) {
    this.#slots = slots;
  }

  reported(slot: number, nowMs: number, report: LoadReport): void {
    if (nowMs - (this.#lastMs[slot] as number) > KEPT_MS) this.#firstMs[slot] = nowMs;
    this.#lastMs[slot] = nowMs;
    this.#utilization[slot] = report.utilization;
    this.#saidRate[slot] = report.requestsPerSecond;
    this.#errors[slot] = report.errorsPerSecond;
  }

  answered(slot: number): void {
    this.#answers[slot] = (this.#answers[slot] as number) + 1;
  }

  /** The slot is another instance's now. */
  forget(slot: number, capacity: number): void {
    if (this.#firstMs.length < capacity) {
      this.#firstMs = grown(this.#firstMs, new Float64Array(capacity));
      this.#lastMs = grown(this.#lastMs, new Float64Array(capacity).fill(-Infinity));
      this.#utilization = grown(this.#utilization, new Float64Array(capacity));
      this.#saidRate = grown(this.#saidRate, new Float64Array(capacity));
      this.#errors = grown(this.#errors, new Float64Array(capacity));
      this.#answers = grown(this.#answers, new Int32Array(capacity));
      this.#rate = grown(this.#rate, new Float64Array(capacity));
    }
    this.#lastMs[slot] = -Infinity;
    this.#answers[slot] = 0;
    this.#rate[slot] = 0;
  }

  /** Once a second: counts what was answered, and sets the weights anew. */
  tick(nowMs: number, set: (slot: number, weight: number) => void): void {
    const passedMs = nowMs - this.#sweptMs;
    if (passedMs < PERIOD_MS) return;
    this.#sweptMs = nowMs;
    for (let slot = 0; slot < this.#slots.count; slot++) {
      this.#rate[slot] = ((this.#answers[slot] as number) * 1000) / passedMs;
      this.#answers[slot] = 0;
    }
    this.settle(nowMs, set);
  }

  settle(nowMs: number, set: (slot: number, weight: number) => void): void {
    const { count, listed, tableWeight, weight } = this.#slots;
    let tableSum = 0;
    let instances = 0;
    let sum = 0;
    let known = 0;
    for (let slot = 0; slot < count; slot++) {
      if (listed[slot] === 0) continue;
      instances++;
      tableSum += tableWeight[slot] as number;
      const capacity = this.#capacityOf(slot, nowMs);
      if (capacity === 0) continue;
      sum += capacity / (tableWeight[slot] as number);
      known++;
    }
    for (let slot = 0; slot < count; slot++) {
      if (listed[slot] === 0) continue;
      const own = tableWeight[slot] as number;
      const before = weight[slot] as number;
      if (known === 0) {
        if (before !== own) set(slot, own);
        continue;
      }
      const capacity = this.#capacityOf(slot, nowMs);
      const factor = capacity === 0 ? 1 : (capacity * known) / (own * sum);
      const bounded = Math.min(Math.max(factor, 1 / FACTOR_MAX), FACTOR_MAX);
      const wanted = Math.round((UNIT * bounded * own * instances) / tableSum);
      const next = Math.min(Math.max(wanted, 1), WEIGHT_MAX);
      if (Math.abs(next - before) * 8 >= before) set(slot, next);
    }
  }

  /** Requests a second at full load; 0: not known. */
  #capacityOf(slot: number, nowMs: number): number {
    const lastMs = this.#lastMs[slot] as number;
    if (nowMs - lastMs > KEPT_MS || nowMs - (this.#firstMs[slot] as number) < NEW_FOR_MS) return 0;
    const said = this.#saidRate[slot] as number;
    const rate = said > 0 ? said : (this.#rate[slot] as number);
    if (rate === 0) return 0;
    return rate / ((this.#utilization[slot] as number) + (this.#errors[slot] as number) / rate);
  }
}
