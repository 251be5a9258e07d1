import pLimit from "p-limit";
import { canonicalNames } from "./canonical-names.ts";
import type { DiskEngine, StoredImage } from "./disk-engine.ts";

/** How exactly the engine, and with it every other server, knows when an image was used last. */
const MARK_EVERY_MS = 10 * 60_000;
const PARALLEL_CALLS = 8;
/** The last step of a pull or a build takes a moment. */
const DANGLES_AFTER_MS = 5 * 60_000;

export interface ImageUsage {
  /** By content id. */
  used(id: string): void;
  /** Milliseconds since the epoch; 0: not known. */
  lastUsedAt(id: string): number;
  /** Whether the image has been without a name for so long that it will not get one. */
  dangles(id: string): boolean;
  /** Asks the engine for what is not known yet, and forgets what is not there any more. */
  learn(images: readonly StoredImage[]): Promise<void>;
  /** Whether another server has used the image since it was learnt. */
  isStale(id: string): Promise<boolean>;
  /** Tells the engine what was used, now and then. */
  publish(images: readonly StoredImage[]): Promise<void>;
}

/** When each image was used last: here, as memory has it; by others and before this process began, as the engine keeps it. */
export function createImageUsage({
  engine,
  now,
}: {
  engine: Pick<DiskEngine, "mark" | "markedAt">;
  /** Milliseconds since the epoch. */
  now: () => number;
}): ImageUsage {
  const uses = new Map<string, number>();
  /** What the engine is known to have. */
  const marks = new Map<string, number>();
  const namelessSince = new Map<string, number>();
  const inTurn = pLimit(PARALLEL_CALLS);

  const lastUsedAt = (id: string): number => Math.max(uses.get(id) ?? 0, marks.get(id) ?? 0);

  function forgetAllBut(ids: ReadonlySet<string>): void {
    for (const known of [uses, marks, namelessSince]) {
      for (const id of known.keys()) if (!ids.has(id)) known.delete(id);
    }
  }

  return {
    used: (id) => void uses.set(id, now()),
    lastUsedAt,
    dangles: (id) => now() - (namelessSince.get(id) ?? now()) >= DANGLES_AFTER_MS,
    async learn(images) {
      forgetAllBut(new Set(images.map(({ id }) => id)));
      for (const { id, names } of images) {
        if (names.length > 0) namelessSince.delete(id);
        else if (!namelessSince.has(id)) namelessSince.set(id, now());
      }
      const unknown = images.filter(({ id, isBrought }) => isBrought && !marks.has(id));
      const learnt = unknown.map(({ id }) =>
        inTurn(async () => marks.set(id, await engine.markedAt(id))),
      );
      await Promise.all(learnt);
    },
    async isStale(id) {
      const markedAt = await engine.markedAt(id);
      const isStale = markedAt > lastUsedAt(id);
      marks.set(id, markedAt);
      return isStale;
    },
    async publish(images) {
      for (const { id, names, isBrought } of images) {
        const [name] = canonicalNames(names);
        const isDue = (uses.get(id) ?? 0) > (marks.get(id) ?? 0) + MARK_EVERY_MS;
        if (!isBrought || !isDue || name === undefined) continue;
        await engine.mark(id, name);
        marks.set(id, now());
      }
    },
  };
}
