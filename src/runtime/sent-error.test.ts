// What is caught on the other side goes by what was thrown.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { NinesError } from "../core/base/errors.ts";
import { received, toSend } from "./sent-error.ts";

const arrived = (error: unknown) => received(structuredClone(toSend(error)));

describe("an error that comes from a thread", () => {
  it("is one of ours if it was, with its code and its remedy", () => {
    const error = arrived(new NinesError("NINES_VAULT_DAMAGED", "A table is torn."));
    assert(error instanceof NinesError);
    assert.equal(error.code, "NINES_VAULT_DAMAGED");
    assert.equal(error.message, "A table is torn.");
  });

  it("keeps the kernel's code, and says where it was thrown", () => {
    const thrown = Object.assign(new Error("no room"), { code: "ENOSPC" });
    const error = arrived(thrown);
    assert(!(error instanceof NinesError));
    assert.deepEqual({ ...error }, { code: "ENOSPC" });
    assert.equal(error.stack, thrown.stack);
  });

  it("has a message, whatever was thrown", () => {
    assert.equal(arrived("a word").message, "a word");
    assert.equal("code" in arrived(new Error("a bug")), false);
  });
});
