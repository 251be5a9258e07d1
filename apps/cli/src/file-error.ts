import { ExitError, exitCodes } from "./exit-error.ts";

/** What the system says, in words; what is missing here keeps the system's own. */
const REASONS: Readonly<Record<string, string>> = {
  EACCES: "permission denied",
  EISDIR: "it is a folder",
  ENOENT: "there is no such file or folder",
  ENOSPC: "the disk is full",
  ENOTDIR: "a part of the path is no folder",
  EPERM: "permission denied",
  EROFS: "the disk takes no writes",
  TAR_BAD_ARCHIVE: "the archive is cut short or damaged",
  TAR_ENTRY_INVALID: "it is no tar archive",
  Z_BUF_ERROR: "the archive is cut short or damaged",
  Z_DATA_ERROR: "the archive is cut short or damaged",
};

/** An error of the file system as one line: what could not be done, why, and what to do about it. */
export function fileError(error: unknown, { what, advice }: { what: string; advice: string }) {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const reason = REASONS[code] ?? (error instanceof Error ? error.message : String(error));
  return new ExitError(exitCodes.usage, `${what}: ${reason}; ${advice}`, { cause: error });
}
