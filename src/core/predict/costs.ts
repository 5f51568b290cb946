// What parts cost a month, in any one currency: only sums are compared, by a search for the
// cheapest deployment that is good enough.

export interface Costs {
  readonly instanceMonthly: number;
  readonly machineMonthly: number;
  /** Beside its machines. */
  readonly zoneMonthly: number;
  /** Of one check a second. */
  readonly checkMonthly: number;
}

/**
 * The order is what matters: a zone is dearer than a machine, a machine than an instance, and of
 * two equal ones the one that checks less is the cheaper.
 */
export const usualCosts: Costs = {
  instanceMonthly: 5,
  machineMonthly: 20,
  zoneMonthly: 30,
  checkMonthly: 0.1,
};
