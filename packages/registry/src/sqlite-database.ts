import { ServiceError } from "@remote-runtime/protocol";
import { closeSync, openSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";

/** An open registry file, owned by this process alone until it is closed or the process ends. */
export interface SqliteDatabase {
  readonly db: DatabaseSync;
  /** Runs `work`; what SQLite throws becomes a ServiceError that names the file. */
  guard: <T>(work: () => T) => T;
}

/** How long opening waits for a previous owner that is just ending. */
const OPEN_WAIT_MS = 250;

/** Step n brings a file from schema version n to n + 1. Steps are only ever appended. */
const MIGRATIONS = [
  `
  CREATE TABLE replica (
    id TEXT PRIMARY KEY,
    body TEXT NOT NULL,
    expires_at INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE inventory (
    replica_id TEXT PRIMARY KEY,
    body TEXT NOT NULL,
    expires_at INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE session (
    owner TEXT NOT NULL,
    session_id TEXT NOT NULL,
    runtime_id TEXT NOT NULL,
    PRIMARY KEY (owner, session_id)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE record (
    id TEXT PRIMARY KEY,
    replica_id TEXT NOT NULL,
    body TEXT NOT NULL,
    expires_at INTEGER
  ) STRICT;
  CREATE INDEX record_by_replica ON record (replica_id);
  CREATE INDEX record_by_expiry ON record (expires_at) WHERE expires_at IS NOT NULL;
  `,
  // What an inventory of the first schema says is published again by its replica.
  `
  DROP TABLE inventory;
  CREATE TABLE inventory (
    replica_id TEXT PRIMARY KEY,
    version INTEGER NOT NULL,
    images TEXT NOT NULL,
    expires_at INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE engine_replica (
    engine_id TEXT NOT NULL,
    replica_id TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (engine_id, replica_id)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE drain (replica_id TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
  CREATE TABLE image_group (
    image TEXT PRIMARY KEY,
    replica_id TEXT NOT NULL,
    expires_at INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX live_record ON record (replica_id) WHERE expires_at IS NULL;
  `,
  `
  CREATE TABLE pin (
    image TEXT PRIMARY KEY,
    pinned_by TEXT NOT NULL,
    pinned_at REAL NOT NULL
  ) STRICT, WITHOUT ROWID;
  `,
];

/**
 * Opens the file, made with mode 0600 where it does not exist (it holds the keys of sandboxes), and brings its
 * schema up to date. Throws ServiceError: `unavailable` when it is locked or cannot be opened, `internal` when it
 * is damaged, of a newer version, or of another program.
 */
export function openSqliteDatabase(path: string): SqliteDatabase {
  const guard = <T>(work: () => T): T => {
    try {
      return work();
    } catch (error) {
      throw toServiceError(path, error);
    }
  };
  const db = guard(() => {
    closeSync(openSync(path, "a", 0o600));
    return new DatabaseSync(path, { timeout: OPEN_WAIT_MS });
  });
  try {
    guard(() => prepare(db, path));
  } catch (error) {
    db.close();
    throw error;
  }
  return { db, guard };
}

function prepare(db: DatabaseSync, path: string): void {
  // Exclusive from the first access on: a second process is refused at once, and WAL needs no shared memory.
  db.exec("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE;");
  // Before anything is written, so that a file which is not ours stays as it is.
  checkOwnFile(db, path);
  MIGRATIONS.slice(pragmaNumber(db, "user_version")).forEach((step) => db.exec(step));
  db.exec(`PRAGMA user_version = ${MIGRATIONS.length}; COMMIT;`);
  db.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;");
}

function checkOwnFile(db: DatabaseSync, path: string): void {
  const damage = db.prepare("PRAGMA quick_check(1)").get()?.["quick_check"];
  if (damage !== "ok") {
    throw new ServiceError("internal", `registry file ${path} is damaged: ${String(damage)}`);
  }
  const version = pragmaNumber(db, "user_version");
  if (version > MIGRATIONS.length) {
    throw new ServiceError(
      "internal",
      `registry file ${path} was written by a newer version: its schema is ${version}, this program knows ${MIGRATIONS.length}`,
    );
  }
  const tables = db.prepare("SELECT count(*) AS count FROM sqlite_schema").get()?.["count"];
  if (version === 0 && tables !== 0) {
    throw new ServiceError("internal", `registry file ${path} is a database of another program`);
  }
}

function pragmaNumber(db: DatabaseSync, name: string): number {
  return Number(db.prepare(`PRAGMA ${name}`).get()?.[name]);
}

/** Result codes of SQLite, https://www.sqlite.org/rescode.html; the low byte is the primary one. */
const BUSY = 5;
const LOCKED = 6;
const CORRUPT = 11;
const NOT_A_DATABASE = 26;

function toServiceError(path: string, error: unknown): ServiceError {
  if (error instanceof ServiceError) return error;
  const cause = { cause: error };
  switch (primaryCode(error)) {
    case BUSY:
    case LOCKED:
      return new ServiceError(
        "unavailable",
        `registry file ${path} is in use by another process`,
        cause,
      );
    case CORRUPT:
    case NOT_A_DATABASE:
      return new ServiceError(
        "internal",
        `registry file ${path} is damaged or no registry file`,
        cause,
      );
    default: {
      const reason = error instanceof Error ? error.message : String(error);
      return new ServiceError("unavailable", `registry file ${path}: ${reason}`, cause);
    }
  }
}

function primaryCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !("errcode" in error)) return undefined;
  return typeof error.errcode === "number" ? error.errcode & 0xff : undefined;
}
