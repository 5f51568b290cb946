// The kernel's own word for a failure.

/** "ENOENT"; "" for what is no failure of a system call. */
export function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException | undefined)?.code ?? "";
}
