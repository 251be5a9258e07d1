import { ServiceError } from "@remote-runtime/protocol";
import { canonicalReference } from "./canonical-reference.ts";
import type { DiskEngine, DiskSpace, StoredImage } from "./disk-engine.ts";
import { createDiskGuard, type DiskGuardOptions } from "./disk-guard.ts";
import { aboveLow, isHigh, keptFreeBelowHigh, missingFor } from "./disk-policy.ts";
import type { Keeping } from "./evictable.ts";
import { createEvictor, type EvictorOptions } from "./evictor.ts";
import type { ImageDisk } from "./image-disk.ts";
import { createImageUsage } from "./image-usage.ts";
import { createKeptNames } from "./kept-names.ts";
import { canonicalNames } from "./canonical-names.ts";

/** Since this process began, and as last seen. */
export type DiskFigures = {
  space: DiskSpace | undefined;
  /** Images that servers of ours brought. */
  held: Count;
  evicted: Count;
  /** Pulled again after they were removed. */
  refetched: Count;
  /** Pulls and builds for which there was no room. */
  refused: number;
};
export type Count = { count: number; bytes: number };

export interface DiskKeeper extends ImageDisk {
  figures(): DiskFigures;
  /** Bytes that may come before the high mark is reached, as last seen; `undefined`: not known. */
  roomBytes(): number | undefined;
  /** The engine's images changed. */
  changed(): void;
  /** Keeps the disk below its high mark until `signal` aborts. */
  run(signal: AbortSignal): Promise<void>;
}

export type DiskKeeperOptions = Pick<DiskGuardOptions, "policy" | "sleep"> & {
  engine: DiskEngine;
  /** Names of the images that runtimes have or are about to have. */
  used: () => ReadonlySet<string>;
  /** Names of other images that must stay: those being pulled, or copied from. */
  kept: () => Iterable<string>;
  /** The content id of what the engine holds by that name. */
  idOf: (name: string) => string | undefined;
  isHomed: Keeping["isHomed"];
  hasMoved: Keeping["hasMoved"];
  /** Default: nothing is pinned. */
  isPinned?: Keeping["isPinned"];
  /** Whether a prefetch under way wants it, by canonical reference. Default: none does. */
  isPrefetched?: (name: string) => boolean;
  /** Told of what was removed to make room, by canonical references. Default: nobody wants to know. */
  onEvicted?: (names: readonly string[]) => void;
  /** Whether it is this server that keeps the disk below its high mark, of several on one engine. */
  leads: () => boolean;
  /** Milliseconds since the epoch. */
  now: () => number;
  log: EvictorOptions["log"];
};

const TEND_MS = 5_000;
/** The engine's images are read that often, and soon after each change. */
const READ_MS = 60_000;
const MOST_REMEMBERED = 10_000;

/** Keeps an engine's disk from filling up: before and during pulls and builds, and all the time. */
export function createDiskKeeper(options: DiskKeeperOptions): DiskKeeper {
  const { engine, policy, now, sleep, log, isPinned = () => false } = options;
  const usage = createImageUsage({ engine, now });
  const kept = createKeptNames(now);
  /** By name, what came free when it was removed, which is what it takes when it is pulled again. */
  const gone = new Map<string, number>();
  const figures: DiskFigures = {
    space: undefined,
    held: { count: 0, bytes: 0 },
    evicted: { count: 0, bytes: 0 },
    refetched: { count: 0, bytes: 0 },
    refused: 0,
  };
  let readAt = Number.NEGATIVE_INFINITY;
  let isStuck = false;

  const evictor = createEvictor({
    engine,
    usage,
    keeping: {
      scope: policy.scope,
      isPinned,
      isHomed: options.isHomed,
      hasMoved: options.hasMoved,
    },
    isPrefetched: options.isPrefetched ?? (() => false),
    wanted: () => withIds([...options.used(), ...options.kept(), ...kept.names()]),
    onEvicted(image, freedBytes) {
      add(figures.evicted, image.sizeBytes);
      const names = canonicalNames(image.names);
      for (const name of names) remember(name, freedBytes);
      options.onEvicted?.(names);
    },
    log,
  });
  const guard = createDiskGuard({ engine, evictor, policy, now, sleep, log });

  /** An image that came by a digest from a mirror goes by the mirror's name there. */
  function withIds(names: readonly string[]): ReadonlySet<string> {
    const ids = names.map(options.idOf).filter((id) => id !== undefined);
    return new Set([...names, ...ids]);
  }

  function remember(name: string, freedBytes: number): void {
    gone.set(name, freedBytes);
    for (const oldest of gone.keys()) {
      if (gone.size <= MOST_REMEMBERED) return;
      gone.delete(oldest);
    }
  }

  async function tend(): Promise<void> {
    const space = await engine.space();
    figures.space = space;
    if (now() >= readAt + READ_MS) await read();
    if (!space || policy.scope === "none" || !options.leads()) return;
    if (!isHigh(space, policy)) {
      isStuck = false;
      return;
    }
    // A prefetch that is above the mark is given up by the guard, and what it has brought stays. While it only waits, it is
    // others who fill the disk: then the reserve comes first.
    const prefetching = guard.onlyPrefetches();
    const isReserveFree = missingFor(0, space, policy) === 0;
    const sparing = prefetching === "run" || (prefetching === "wait" && isReserveFree);
    const after = await evictor.free((found) => aboveLow(found, policy), { sparing });
    figures.space = after;
    const wasStuck = isStuck;
    isStuck = after !== undefined && isHigh(after, policy);
    if (isStuck && !wasStuck) {
      const advice =
        "nothing on it may be removed now; see EVICT_IMAGES and the other DISK_ settings";
      log.warn({ ...after }, `the engine's disk is above its high mark, and ${advice}`);
    }
  }

  async function read(): Promise<void> {
    readAt = now();
    const images = await engine.stored();
    const ours = images.filter(({ isBrought }) => isBrought);
    figures.held = { count: 0, bytes: 0 };
    for (const { sizeBytes } of ours) add(figures.held, sizeBytes);
    const used = withIds([...options.used()]);
    for (const { id, names } of ours) {
      if ([id, ...canonicalNames(names)].some((one) => used.has(one))) usage.used(id);
    }
    if (policy.scope === "none") return;
    await usage.learn(images);
    await usage.publish(images);
    if (options.leads()) await removeNameless(ours);
  }

  /** Whoever takes an image's last name away wants it gone, and only the mark is in the way. */
  async function removeNameless(ours: readonly StoredImage[]): Promise<void> {
    for (const image of ours) {
      const isKept = [image.id, ...(image.digests ?? [])].some(isPinned);
      if (image.names.length === 0 && !isKept) await engine.remove(image);
    }
  }

  return {
    async within(use, work) {
      const sizeBytes = use.sizeBytes ?? (use.name === undefined ? undefined : gone.get(use.name));
      try {
        return await guard.within({ ...use, sizeBytes }, work);
      } catch (error) {
        if (isDiskFull(error)) figures.refused += 1;
        throw error;
      }
    },
    used: usage.used,
    keep: kept.keep,
    async brought(reference, { id, sizeBytes }) {
      usage.used(id);
      const name = canonicalReference(reference);
      if (gone.delete(name) && sizeBytes !== undefined) add(figures.refetched, sizeBytes);
      if (policy.scope === "none") return;
      try {
        await engine.mark(id, reference);
      } catch (error) {
        log.warn(
          { err: error, image: name },
          "an image could not be marked as brought: it stays for good",
        );
      }
    },
    figures: () => figures,
    roomBytes() {
      const { space } = figures;
      return space && Math.max(0, space.freeBytes - keptFreeBelowHigh(space, policy));
    },
    changed: () => void (readAt = Number.NEGATIVE_INFINITY),
    async run(signal) {
      let hasFailed = false;
      while (!signal.aborted) {
        try {
          await tend();
          hasFailed = false;
        } catch (error) {
          if (!hasFailed) log.warn({ err: error }, "the engine's disk cannot be looked after now");
          hasFailed = true;
        }
        // Rejects when the signal aborts, which ends the loop.
        await sleep(TEND_MS, signal).catch(() => undefined);
      }
    },
  };
}

function add(total: Count, bytes: number): void {
  total.count += 1;
  total.bytes += bytes;
}

function isDiskFull(error: unknown): boolean {
  return error instanceof ServiceError && error.code === "disk_full";
}
