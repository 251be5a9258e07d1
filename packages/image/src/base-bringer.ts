import type { ImageStore } from "./image-store.ts";
import { RegistryBusyError, reworded } from "./registry-away-error.ts";

export interface BaseBringer {
  /**
   * Brings those of the images, by canonical references, that the engine lacks, all at once. What cannot be brought is told in
   * the log and left to the engine's own builder. Throws when `signal` aborts, and RegistryBusyError where a registry still
   * wants to be left alone: the builder would ask it all the same.
   */
  bring(
    images: readonly string[],
    onLog: (text: string) => void,
    signal: AbortSignal,
  ): Promise<void>;
}

/** A log of a build is read, not watched. */
const LOG_EVERY_MS = 10_000;

/**
 * Brings what builds begin from as starts get their images: from near sources first, and each image once at a time. A
 * builder would ask the registry of the image's name alone. `now`: milliseconds, of any clock.
 */
export function createBaseBringer({
  images,
  now,
}: {
  images: Pick<ImageStore, "fetch">;
  now: () => number;
}): BaseBringer {
  async function bringOne(
    name: string,
    onLog: (text: string) => void,
    signal: AbortSignal,
  ): Promise<void> {
    let toldAt: number | undefined;
    // Told of pulls only: what is there makes no line.
    const onProgress = (progress: string): void => {
      if (toldAt === undefined) onLog(`=> fetching base image ${name}\n`);
      else if (now() - toldAt < LOG_EVERY_MS) return;
      else onLog(`${progress}\n`);
      toldAt = now();
    };
    try {
      await images.fetch(name, "IfNotPresent", onProgress, signal);
      if (toldAt !== undefined) onLog(`=> fetched base image ${name}\n`);
    } catch (error) {
      if (signal.aborted) throw error;
      if (error instanceof RegistryBusyError) throw reworded(error, `${name}: ${error.message}`);
      const reason = error instanceof Error ? error.message : String(error);
      onLog(`WARNING base image ${name} is left to the builder: ${reason}\n`);
    }
  }

  return {
    async bring(names, onLog, signal) {
      await Promise.all(names.map((name) => bringOne(name, onLog, signal)));
    },
  };
}
