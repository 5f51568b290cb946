// A line that is written for a shell, as a program and its arguments.

/**
 * `exec` puts the program in the shell's place, so that it is the process that Nines watches and
 * signals. It takes one simple command only: of a list of commands it would run the first and
 * forget the rest, and an assignment before a command is no command to it.
 */
export function shellCommand(line: string): readonly string[] {
  const trimmed = line.trim();
  const compound = /[;&|\n()]/.test(trimmed) || /^([A-Za-z_]\w*=|exec\s|[!{<>])/.test(trimmed);
  return ["/bin/sh", "-c", compound ? trimmed : `exec ${trimmed}`];
}
