import type { Pins as PinnedImages, Registry } from "@remote-runtime/registry";
import type { Clock, Log } from "@remote-runtime/runtime";

/** In full that often, whatever was told. */
const REFRESH_MS = 60_000;
/** After a failure. */
const RETRY_MS = 5_000;
/** A list of many images is pinned in several calls. */
const DEBOUNCE_MS = 200;
/** In one call, which must end within a second. */
const MOST_AT_ONCE = 5_000;

/** The images that this replica's engine shall keep. */
export interface Pins {
  /**
   * By canonical reference, content id or digest: what is pinned by a digest is so under any name that says it. Until it was
   * once known what is pinned, all are.
   */
  isPinned(image: string): boolean;
  /** Keeps up with the registry until `signal` aborts. With the registry away the last known pins count. */
  run(signal: AbortSignal): Promise<void>;
}

export type PinsOptions = {
  registry: Pick<Registry, "pins" | "restorePins" | "onChange">;
  clock: Clock;
  log: Log;
};

export function createPins({ registry, clock, log }: PinsOptions): Pins {
  let known: PinnedImages | undefined;
  /** Of those that are pinned by one. */
  let digests: ReadonlySet<string> = new Set();
  /** Pinned as far as was known when the registry lost everything: written again before anything is read. */
  let lost: PinnedImages | undefined;
  let wake = Promise.withResolvers<void>();
  let isAway = false;

  async function restore(): Promise<void> {
    if (!lost) return;
    const all = [...lost];
    for (let from = 0; from < all.length; from += MOST_AT_ONCE) {
      await registry.restorePins(new Map(all.slice(from, from + MOST_AT_ONCE)));
    }
    lost = undefined;
  }

  async function refresh(): Promise<number> {
    try {
      await restore();
      const found = await registry.pins();
      // A loss that was noticed meanwhile: what is known from before it is what counts.
      if (!lost) {
        known = found;
        digests = new Set([...found.keys()].flatMap((image) => digestOf(image) ?? []));
      }
      if (isAway) log.info({ pins: found.size }, "the pinned images are known again");
      isAway = false;
      return lost ? 0 : REFRESH_MS;
    } catch (error) {
      const consequence = known ? "the last known ones count" : "until then all count as pinned";
      if (!isAway) log.warn({ err: error }, `the pinned images cannot be read; ${consequence}`);
      isAway = true;
      return RETRY_MS;
    }
  }

  return {
    isPinned: (image) =>
      known === undefined || known.has(image) || digests.has(digestOf(image) ?? ""),
    async run(signal) {
      const pause = (ms: number): Promise<void> => clock.sleep(ms, signal).catch(() => undefined);
      const unsubscribe = registry.onChange(({ kind }) => {
        if (kind === "lost") lost ??= known;
        if (kind === "pins" || kind === "lost" || kind === "unknown") wake.resolve();
      });
      while (!signal.aborted) {
        // Before the read: a change in the middle of it is not missed.
        wake = Promise.withResolvers();
        const waitMs = await refresh();
        await Promise.race([wake.promise, pause(waitMs)]);
        await pause(DEBOUNCE_MS);
      }
      unsubscribe();
    },
  };
}

/** `sha256:…` at the end of a name, or alone. */
function digestOf(image: string): string | undefined {
  return /(?:^|@)([a-z0-9]+:[0-9a-f]+)$/.exec(image)?.[1];
}
