// The kernel's words for a failed call, as the disk port tells them.

import { DiskError, type DiskErrorKind } from "../ports/disk.ts";

const kinds: Readonly<Record<string, DiskErrorKind>> = {
  ENOSPC: "full",
  EDQUOT: "full",
  // Beyond the largest file that the process or the file system allows.
  EFBIG: "full",
  EROFS: "read-only",
  ENOENT: "not-found",
  ENOTDIR: "not-found",
  EEXIST: "exists",
  EACCES: "not-allowed",
  EPERM: "not-allowed",
};

export async function attempt<T>(
  operation: string,
  path: string,
  run: () => Promise<T>,
): Promise<T> {
  try {
    return await run();
  } catch (cause) {
    throw toDiskError(operation, path, cause);
  }
}

export function toDiskError(operation: string, path: string, cause: unknown): DiskError {
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
  const why = cause instanceof Error ? cause.message : String(cause);
  return new DiskError(kinds[code] ?? "io", `cannot ${operation} ${path}: ${why}`, { cause });
}
