// Where a command asks: the socket of the Nines that is meant, or with `--admin` an address.
//
// A command line is seen by every user of the machine, and kept by shells: the token comes from the
// environment or from a file that is as private as `admin.tokenFile` must be, never from an
// argument.

import { NinesError } from "../../core/base/errors.ts";
import { findStateDirectory } from "../../state/directory.ts";
import type { AdminPlace } from "../admin/client.ts";
import { readToken } from "../admin/tokens.ts";
import type { PlaceOptions } from "./actions.ts";
import { stateDirectoryOf } from "./place.ts";

const variable = "NINES_ADMIN_TOKEN";

/** Throws NINES_STATE_NOT_FOUND, or NINES_ADMIN_TOKEN and NINES_ADMIN_TOKEN_FILE. */
export function adminPlace(options: PlaceOptions): AdminPlace {
  const { admin } = options;
  if (admin === undefined) {
    return { socketPath: findStateDirectory(stateDirectoryOf(options)).adminSocket };
  }
  return { url: admin, token: tokenOf(options) };
}

function tokenOf({ tokenFile }: PlaceOptions): string {
  if (tokenFile !== undefined) return readToken(tokenFile);
  const token = process.env[variable]?.trim() ?? "";
  if (/^[\x21-\x7e]+$/.test(token)) return token;
  const what = token === "" ? "is not set" : "is not one word of ASCII";
  throw new NinesError("NINES_ADMIN_TOKEN", `${variable} ${what}, and no --token-file is named.`);
}
