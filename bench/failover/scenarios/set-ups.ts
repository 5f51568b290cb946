// Set-ups that several scenarios share: those run back to back on one started system.

import type { SetUp } from "../scenario.ts";

/** The plain case: three equal instances. */
export const answersOf20Ms: SetUp = { serviceMs: 20 };
/** The same, beside others and after an hour of other people's changes. */
export const ownProcesses: SetUp = { serviceMs: 20 };
