import { execFile } from "node:child_process";
import { promisify } from "node:util";

const DEADLINE_MS = 60_000;
const MOST_ROUNDS = 5;
const MOST_IDS = 100;
/** What BuildKit keeps of an archive that came over the engine's API bears no name. */
const CONTEXT = /^(http url http:\/\/build-context-|copy \/context \/)/;

type Entry = { ID: string; Description: string; CreatedAt: string };

/**
 * Removes from the engine's build cache what builds of a test have left: whatever names `marker` in its step, and the
 * archives that came since. What is still in use stays.
 */
export async function pruneBuildCache(marker: string, since: Date): Promise<void> {
  const isOurs = ({ Description, CreatedAt }: Entry): boolean =>
    Description.includes(marker) || (CONTEXT.test(Description) && dateOf(CreatedAt) >= since);
  // A step cannot go before those that were built upon it.
  for (let round = 0; round < MOST_ROUNDS; round += 1) {
    const ours = (await entries()).filter(isOurs);
    if (ours.length === 0) return;
    for (let at = 0; at < ours.length; at += MOST_IDS) {
      const ids = ours.slice(at, at + MOST_IDS).map(({ ID }) => ID);
      // The engine takes one value only, and reads it as a regular expression.
      const filter = `id=^(${ids.join("|")})$`;
      await docker("builder", "prune", "--all", "--force", "--filter", filter);
    }
  }
}

async function entries(): Promise<Entry[]> {
  const format = ["--format", "{{json .BuildCache}}"];
  // Docker's own client has written it.
  return JSON.parse(await docker("system", "df", "--verbose", ...format)) as Entry[];
}

async function docker(...args: string[]): Promise<string> {
  const options = { timeout: DEADLINE_MS, maxBuffer: 64 * 1024 * 1024 };
  return (await promisify(execFile)("docker", args, options)).stdout;
}

/** `2026-11-22 15:39:11.133423832 +0000 UTC`. */
function dateOf(text: string): Date {
  return new Date(text.replace(/^(\S+) (\d\d:\d\d:\d\d)\S* .*$/, "$1T$2Z"));
}
