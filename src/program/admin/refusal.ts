// A refusal of the HTTP side of the admin API itself: the code says which kind, the status tells
// more.

import { type ErrorCode, NinesError } from "../../core/base/errors.ts";

export class Refusal extends NinesError {
  readonly status: number;

  constructor(status: number, what: string, code: ErrorCode = "NINES_ADMIN_REQUEST") {
    super(code, what);
    this.status = status;
  }
}

export function refusal(status: number, what: string): Refusal {
  return new Refusal(status, what);
}
