import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { ConfigError, parseApiKeys, type ApiKey } from "@remote-runtime/server";

/** Makes the folder, for this user only, with those above it. Throws ConfigError when that cannot be done. */
export function makeDataDir(folder: string): void {
  try {
    makeFolder(folder);
  } catch (error) {
    throw notWritable(folder, error);
  }
}

/** Node's own recursive mkdir never ends below /proc, where a folder that is there takes none. */
function makeFolder(path: string): void {
  if (existsSync(path)) return;
  makeFolder(dirname(path));
  mkdirSync(path, { mode: 0o700 });
}

function notWritable(folder: string, error: unknown): ConfigError {
  const reason = error instanceof Error ? error.message : String(error);
  return new ConfigError([`DATA_DIR=${folder} cannot be written to (${reason})`], { cause: error });
}

/**
 * The key of earlier runs in `folder`, or a new one, kept there for this user only. Read as API_KEYS is: given there, or by a
 * client's own variable, the same key has the same owner. Throws ConfigError where the file has no key.
 */
export async function keptApiKeys(folder: string): Promise<ApiKey[]> {
  const text = await kept(folder, "api-key", () => randomBytes(24).toString("base64url"));
  const result = parseApiKeys(text);
  if (result.kind === "entries") return result.entries;
  const path = join(folder, "api-key");
  throw new ConfigError(result.problems.map((problem) => `${path}: ${problem}; remove it`));
}

/** The id by which this server knows its own sandboxes again; another server on the same engine has another one. */
export function keptReplicaId(folder: string): Promise<string> {
  return kept(folder, "replica-id", () => `local-${randomBytes(4).toString("hex")}`);
}

async function kept(folder: string, name: string, make: () => string): Promise<string> {
  const path = join(folder, name);
  const known = (await readFile(path, "utf8").catch(() => "")).trim();
  if (known !== "") return known;
  const made = make();
  try {
    await writeFile(path, `${made}\n`, { mode: 0o600 });
  } catch (error) {
    throw notWritable(folder, error);
  }
  return made;
}
