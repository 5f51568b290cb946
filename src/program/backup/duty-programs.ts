// How control starts a duty of the vault: this same program in its role `_backup-duty`.

import type { DutyPrograms } from "../../ports/duty-programs.ts";
import type { StateDirectory } from "../../state/directory.ts";
import { readDutyReport, removeDutyReport, removeDutyReports } from "../../state/duty-reports.ts";
import { commandOf } from "../roles/spawn.ts";

export function createDutyPrograms(
  state: StateDirectory,
  environment: Readonly<Record<string, string>>,
): DutyPrograms {
  return {
    request({ id, kind, cursor }) {
      removeDutyReports(state.backup);
      const goOn = cursor === undefined ? [] : ["--cursor", cursor];
      const name = `backup-${kind}`;
      return {
        command: commandOf("backup-duty", [state.path, "--id", id, "--kind", kind, ...goOn]),
        workingDirectory: state.path,
        // By its name what it leaves behind when it is killed is found and ended.
        environment: { ...environment, NINES_INSTANCE: name },
        logFile: state.backupLog,
        name,
      };
    },
    report: (id) => readDutyReport(state.backup, id),
    forget: (id) => removeDutyReport(state.backup, id),
  };
}
