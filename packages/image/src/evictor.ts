import { ServiceError } from "@remote-runtime/protocol";
import pLimit from "p-limit";
import type { DiskEngine, DiskSpace, StoredImage } from "./disk-engine.ts";
import { evictable, isOurs, type Keeping } from "./evictable.ts";
import type { ImageUsage } from "./image-usage.ts";

export interface Evictor {
  /**
   * Removes one thing after the other, what is cheap to have again first, until `missing` says 0 of the space that there is
   * then: images share layers, so nobody knows beforehand what a removal frees. Answers the space at the end. One at a
   * time, whoever calls.
   */
  free(missing: (space: DiskSpace) => number, options?: Sparing): Promise<DiskSpace | undefined>;
  /** More than would come free, as layers are shared. */
  holdings(options?: Sparing): Promise<Holdings>;
}

/** `sparing`: what prefetches under way want counts as pinned. Default false. */
type Sparing = { sparing: boolean };

/** Bytes of images that may be removed once nobody uses them, with the build cache, and of all other images. */
export type Holdings = { reclaimableBytes: number; otherBytes: number };

export type EvictorOptions = {
  engine: DiskEngine;
  usage: Pick<ImageUsage, "learn" | "lastUsedAt" | "isStale" | "dangles">;
  keeping: Pick<Keeping, "scope" | "isPinned" | "isHomed" | "hasMoved">;
  /** Whether a prefetch under way wants it, by canonical reference. Default: none does. */
  isPrefetched?: (name: string) => boolean;
  /** As `Keeping` has it, asked for anew before each removal. */
  wanted: () => ReadonlySet<string>;
  /** `freedBytes`: as measured, so it is less than its size where it shares layers. */
  onEvicted: (image: StoredImage, freedBytes: number) => void;
  log: { info(data: object, message: string): void; warn(data: object, message: string): void };
};

export function createEvictor(options: EvictorOptions): Evictor {
  const { engine, usage, wanted, onEvicted, log, isPrefetched = () => false } = options;
  const oneAtATime = pLimit(1);

  /** Copies for which the ring has other homes are wanted as well, as long as a prefetch brings them. */
  const isHomed = (name: string): boolean => options.keeping.isHomed(name) || isPrefetched(name);
  const leaving = { ...options.keeping, isHomed };
  const isSpared = (name: string): boolean => leaving.isPinned(name) || isPrefetched(name);
  const keepingFor = ({ sparing }: Sparing): typeof leaving =>
    sparing ? { ...leaving, isPinned: isSpared } : leaving;

  async function candidates(keeping: typeof leaving): Promise<StoredImage[]> {
    const [images, inUse] = await Promise.all([engine.stored(), engine.inUse()]);
    await usage.learn(images);
    const { lastUsedAt, dangles } = usage;
    return evictable(images, { ...keeping, inUse, wanted: wanted(), lastUsedAt, dangles });
  }

  async function evictImages(
    missing: () => Promise<number>,
    keeping: typeof leaving,
  ): Promise<void> {
    /** Each is tried once: what a container got meanwhile will have it for a while. */
    const tried = new Set<string>();
    while ((await missing()) > 0) {
      // Starts and pulls went on during the last removal.
      const image = (await candidates(keeping)).find(({ id }) => !tried.has(id));
      if (!image) return;
      if (image.isBrought && (await usage.isStale(image.id))) continue;
      tried.add(image.id);
      await evict(image);
    }
  }

  async function evict(image: StoredImage): Promise<void> {
    const { id, names, sizeBytes } = image;
    try {
      const before = await engine.space();
      if ((await engine.remove(image)) === "in use") return;
      const freedBytes = ((await engine.space())?.freeBytes ?? 0) - (before?.freeBytes ?? 0);
      onEvicted(image, Math.min(sizeBytes, Math.max(0, freedBytes)));
      log.info({ image: names[0] ?? id, freedBytes }, "an image was removed to make room");
    } catch (error) {
      const { code } = ServiceError.from(error);
      // Nothing else will go better then.
      if (code === "unavailable" || code === "internal") throw error;
      log.warn({ err: error, image: names[0] ?? id }, "an image could not be removed");
    }
  }

  return {
    free: (missing, sparing = { sparing: false }) =>
      oneAtATime(async () => {
        const keeping = keepingFor(sparing);
        let space = await engine.space();
        if (!space || missing(space) <= 0 || keeping.scope === "none") return space;
        const measure = async (): Promise<number> => {
          space = await engine.space();
          return space ? missing(space) : 0;
        };
        await engine.trimBuildCache(missing(space));
        await evictImages(measure, keeping);
        return space;
      }),
    async holdings(sparing = { sparing: false }) {
      const keeping = keepingFor(sparing);
      const [images, cacheBytes] = await Promise.all([engine.stored(), engine.cacheBytes()]);
      const bytesOf = (some: readonly StoredImage[]): number =>
        some.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
      const ownBytes = bytesOf(images.filter((image) => isOurs(image, keeping)));
      const trimmableBytes = keeping.scope === "none" ? 0 : cacheBytes;
      const otherBytes = bytesOf(images) - ownBytes;
      return { reclaimableBytes: ownBytes + trimmableBytes, otherBytes };
    },
  };
}
