// The commands that are about the file alone: init, check, schema.

import { writeFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { initText } from "../../config/init-text.ts";
import { formatProblems, problemsJson } from "../../config/problems.ts";
import { jsonSchema } from "../../config/schema.ts";
import { NinesError } from "../../core/base/errors.ts";
import { parseConfigFile } from "../config-file.ts";
import type { Actions } from "./actions.ts";
import { ownCommand } from "./own-command.ts";
import { findConfigFile } from "./place.ts";
import { complain, exitCode, say } from "./say.ts";

export const fileCommands: Pick<Actions, "init" | "check" | "schema"> = {
  async init({ file }) {
    const command = ownCommand(dirname(resolve(file)));
    try {
      writeFileSync(file, initText(command), { flag: "wx" });
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== "EEXIST") throw cause;
      throw new NinesError("NINES_FILE_EXISTS", `${resolve(file)} is already there.`, { cause });
    }
    const what =
      command === undefined
        ? "which runs an example until your service's command stands there"
        : `which runs this folder's \`${command}\``;
    say(`Wrote ${file}, ${what}. Look it over, then run \`nines up\`.`);
    return exitCode.done;
  },

  async check(options) {
    const file = findConfigFile(options.file);
    const parsed = await parseConfigFile(file);
    const problems = parsed.ok ? parsed.warnings : parsed.problems;
    if (options.json === true) say(JSON.stringify(problemsJson(file, problems), undefined, 2));
    else if (problems.length > 0) complain(formatProblems(file, problems).trimEnd());
    if (!parsed.ok) return exitCode.usage;
    if (options.json !== true) say(`${file} is right.`);
    return exitCode.done;
  },

  async schema() {
    say(JSON.stringify(jsonSchema(), undefined, 2));
    return exitCode.done;
  },
};
