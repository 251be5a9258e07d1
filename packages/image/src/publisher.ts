import { ServiceError } from "@remote-runtime/protocol";
import { withBackoff, type Backoff } from "./backoff.ts";
import { canonicalReference } from "./canonical-reference.ts";
import type { RegistryEngine } from "./registry-engine.ts";

/** Brings what was built to the image registry of this deployment. */
export interface Publisher {
  /**
   * Pushes those of the names that are below the registry's folder, one after the other; a registry that is away is tried
   * again. What happens is told in lines for a build's log. Throws `bad_gateway` with the reason when one cannot be pushed.
   */
  publish(
    references: readonly string[],
    onLog: (text: string) => void,
    signal: AbortSignal,
  ): Promise<void>;
}

export type PublisherOptions = {
  engine: Pick<RegistryEngine, "push">;
  /** Host, and folder below it, of the names that are pushed: `registry.example.com/openhands`. */
  folder: string;
  backoff: Backoff;
  /** Milliseconds. */
  now: () => number;
};

const LOG_EVERY_MS = 5_000;

export function createPublisher({ engine, folder, backoff, now }: PublisherOptions): Publisher {
  async function publishOne(
    name: string,
    onLog: (text: string) => void,
    signal: AbortSignal,
  ): Promise<void> {
    onLog(`=> pushing ${name}\n`);
    let toldAt = now();
    const onProgress = (progress: string): void => {
      if (now() - toldAt < LOG_EVERY_MS) return;
      toldAt = now();
      onLog(`${progress}\n`);
    };
    const push = (): Promise<void> => engine.push(name, onProgress, signal);
    const onWait = (why: string): void => onLog(`${why}\n`);
    await withBackoff(push, { backoff, onWait, signal });
    onLog(`=> pushed ${name}\n`);
  }

  return {
    async publish(references, onLog, signal) {
      for (const name of references.map(canonicalReference)) {
        if (!isBelow(name, folder)) continue;
        try {
          // One after the other: they share their layers, which so are sent once.
          await publishOne(name, onLog, signal);
        } catch (error) {
          const reason = error instanceof Error ? error.message : String(error);
          const message = `the image was built, but could not be pushed: ${reason}`;
          onLog(`ERROR ${message}\n`);
          throw new ServiceError("bad_gateway", message, { cause: error });
        }
      }
    },
  };
}

/** Whether the canonical reference is of an image in that folder of a registry, or deeper. */
export function isBelow(name: string, folder: string): boolean {
  const probe = canonicalReference(`${folder}/image`);
  return name.startsWith(probe.slice(0, probe.lastIndexOf("/") + 1));
}
