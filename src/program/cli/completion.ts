// `nines completion SHELL`: a script for the shell, written from the commands themselves, so that
// what it offers is what the parser takes.
//
// The script knows commands and options by heart and asks `nines completion --names` only for the
// names of services and instances, from the state directory: it answers also while control is dead,
// which is when somebody types in a hurry. zsh reads the bash script through its own bashcompinit:
// one logic, tested in one place. Rejected: asking the program for everything (a process a
// keystroke).

import type { Argument, Command, Option } from "commander";
import { findStateDirectory } from "../../state/directory.ts";
import { inspectState } from "../status/inspect.ts";
import type { Actions, CompletionOptions } from "./actions.ts";
import { buildCommandLine, pathOf } from "./command-line.ts";
import { stateDirectoryOf } from "./place.ts";
import { exitCode, say } from "./say.ts";

export const shells = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof shells)[number];

export async function completion(
  shell: Shell | undefined,
  options: CompletionOptions,
): Promise<number> {
  if (options.names !== undefined) {
    for (const name of namesOf(options)) say(name);
    return exitCode.done;
  }
  say(completionScript(shell ?? "bash"));
  return exitCode.done;
}

function namesOf(options: CompletionOptions): readonly string[] {
  const { services } = inspectState(findStateDirectory(stateDirectoryOf(options)));
  const instances = services.flatMap((service) => service.instances.map(({ id }) => id));
  const names = services.map(({ name }) => name);
  if (options.names === "service") return names;
  return options.names === "instance" ? instances : [...names, ...instances];
}

export function completionScript(shell: Shell): string {
  // Nothing is run: the commands are only described.
  const nines = buildCommandLine({} as Actions, "", () => undefined);
  const places = [nines, ...below(nines)].map(describePlace);
  if (shell === "fish") return fishScript(places);
  const bash = bashScript(places);
  return shell === "bash" ? bash : `${zshStart}\n${bash}`;
}

const zshStart = `(( $+functions[compdef] )) || { autoload -U +X compinit && compinit }
autoload -U +X bashcompinit && bashcompinit`;

/** A command, or a group of them, as a line that is typed arrives at it. */
interface Place {
  /** "" is the program itself; "control restart". */
  readonly path: string;
  readonly commands: readonly { readonly name: string; readonly summary: string }[];
  readonly options: readonly Option[];
  readonly values: readonly { readonly flag: string; readonly kind: string }[];
  /** What each argument is: "service", "instance", "any", "folder", or words to choose from. */
  readonly arguments: readonly string[];
  /** The last argument may come again. */
  readonly endless: boolean;
}

function below(command: Command): readonly Command[] {
  return command.commands.flatMap((child) => [child, ...below(child)]);
}

function describePlace(command: Command): Place {
  const options = command.options.filter(({ hidden }) => !hidden);
  return {
    path: command.parent === null ? "" : pathOf(command),
    commands: command.commands.map((one) => ({ name: one.name(), summary: one.summary() })),
    options,
    values: options.flatMap((option) => {
      if (!option.required) return [];
      const kind = kindOfValue(option);
      return flagsOf(option).map((flag) => ({ flag, kind }));
    }),
    arguments: command.registeredArguments.map(kindOfArgument),
    endless: command.registeredArguments.at(-1)?.variadic === true,
  };
}

function flagsOf({ short, long }: Option): readonly string[] {
  return [short, long].filter((flag) => flag !== undefined);
}

function kindOfValue({ flags, argChoices }: Option): string {
  if (argChoices !== undefined) return argChoices.join(" ");
  if (flags.includes("<file>")) return "file";
  return flags.includes("<directory>") ? "folder" : "none";
}

function kindOfArgument(argument: Argument): string {
  if (argument.argChoices !== undefined) return argument.argChoices.join(" ");
  const name = argument.name();
  if (name === "service" || name === "instance" || name === "folder") return name;
  return name === "target" || name === "names" ? "any" : "none";
}

/** Lines `PATTERN) printf TEXT;;` of a case statement. */
function cases(rows: readonly (readonly [pattern: string, text: string])[]): string {
  return rows.map(([pattern, text]) => `    ${pattern}) echo '${text}' ;;`).join("\n");
}

function bashScript(places: readonly Place[]): string {
  const commands = places
    .filter((place) => place.commands.length > 0)
    .map(({ path, commands: names }) => {
      return [`'${path}'`, names.map(({ name }) => name).join(" ")] as const;
    });
  const options = places.map(({ path, options: all }) => {
    return [`'${path}'`, [...all.flatMap(flagsOf), "--help"].join(" ")] as const;
  });
  const values = places.flatMap(({ path, values: all }) =>
    all.map(({ flag, kind }) => [`'${path} ${flag}'`, kind] as const),
  );
  const words = places.flatMap(({ path, endless, arguments: kinds }) =>
    kinds.map((kind, index) => {
      const last = endless && index === kinds.length - 1;
      return [`'${path} '${last ? "*" : `${index}`}`, kind] as const;
    }),
  );
  return `# What \`nines completion\` printed: completion for bash, and for zsh with bashcompinit.
_nines_commands() {
  case "$1" in
${cases(commands)}
  esac
}
_nines_options() {
  case "$1" in
${cases(options)}
  esac
}
_nines_value() {
  case "$1" in
${cases(values)}
  esac
}
_nines_argument() {
  case "$1" in
${cases(words)}
  esac
}
${bashLogic}`;
}

const bashLogic = `_nines() {
  local current="\${COMP_WORDS[COMP_CWORD]}" path="" kind="" value="" count=0 index word
  local -a place
  place=()
  for ((index = 1; index < COMP_CWORD; index++)); do
    word="\${COMP_WORDS[index]}"
    if [[ -n "$value" ]]; then value=""; continue; fi
    value="$(_nines_value "$path $word")"
    if [[ -n "$value" ]]; then
      case "$word" in
        --state-dir | --file | -f) place+=("$word" "\${COMP_WORDS[index + 1]}") ;;
      esac
    elif [[ "$word" != -* ]]; then
      if [[ " $(_nines_commands "$path") " == *" $word "* ]]; then path="\${path:+$path }$word"
      else ((count += 1)); fi
    fi
  done
  COMPREPLY=()
  if [[ -n "$value" ]]; then kind="$value"
  elif [[ "$current" == -* ]]; then kind="$(_nines_options "$path")"
  elif ((count == 0)); then kind="$(_nines_commands "$path")"; fi
  [[ -n "$kind" ]] || kind="$(_nines_argument "$path $count")"
  case "$kind" in
    none) ;;
    file) COMPREPLY=($(compgen -f -- "$current")) ;;
    folder) COMPREPLY=($(compgen -d -- "$current")) ;;
    service | instance | any)
      kind="$(nines completion --names "$kind" "\${place[@]}" 2>/dev/null)"
      COMPREPLY=($(compgen -W "$kind" -- "$current"))
      ;;
    *) COMPREPLY=($(compgen -W "$kind" -- "$current")) ;;
  esac
}
complete -F _nines nines`;

function fishScript(places: readonly Place[]): string {
  return `# What \`nines completion fish\` printed.
function __nines_words
  string match -v -- '-*' (commandline -opc)[2..-1]
end
function __nines_is
  set -l words (__nines_words)
  test "$words" = "$argv"
end
function __nines_at
  set -l words (__nines_words)
  string match -q -- "$argv" "$words"; or string match -q -- "$argv *" "$words"
end
complete -c nines -f
${places.flatMap(fishLines).join("\n")}`;
}

function fishLines({ path, commands, options, arguments: kinds }: Place): readonly string[] {
  const at = path === "" ? "" : ` -n '__nines_at ${path}'`;
  const quoted = (text: string) => `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
  return [
    ...commands.map(({ name, summary }) => {
      return `complete -c nines -n '__nines_is ${path}' -a ${name} -d ${quoted(summary)}`;
    }),
    ...options.map((option) => {
      const short = option.short === undefined ? "" : ` -s ${option.short.slice(1)}`;
      const long = option.long === undefined ? "" : ` -l ${option.long.slice(2)}`;
      const kind = option.required ? ` -r${fishValue(kindOfValue(option))}` : "";
      return `complete -c nines${at}${short}${long}${kind} -d ${quoted(option.description)}`;
    }),
    ...[...new Set(kinds)].flatMap((kind) => {
      const words = fishArgument(kind);
      return words === "" ? [] : [`complete -c nines${at}${words}`];
    }),
  ];
}

function fishValue(kind: string): string {
  if (kind === "file" || kind === "folder") return " -F";
  return kind === "none" ? "" : ` -a '${kind}'`;
}

function fishArgument(kind: string): string {
  if (kind === "none") return "";
  if (kind === "folder") return " -F";
  const asked = kind === "service" || kind === "instance" || kind === "any";
  return asked ? ` -a '(nines completion --names ${kind} 2>/dev/null)'` : ` -a '${kind}'`;
}
