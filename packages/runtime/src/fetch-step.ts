import {
  PULL_BACK_OFF,
  type EngineImage,
  type ImageStore,
  type InjectStore,
  type Injection,
} from "@remote-runtime/image";
import type { Clock } from "./clock.ts";
import { note, noteAnew, observe, type Entry } from "./entry.ts";
import { pathsInCommand } from "./inject-choice.ts";

export type FetchStepOptions = {
  images: ImageStore;
  injects: InjectStore;
  clock: Clock;
};

type Fetch<T> = (
  onProgress: (progress: string, bytes?: number) => void,
  signal: AbortSignal,
) => Promise<T>;

/** A pull tells of itself twice a second; in the history it is one line that is written anew. */
const PROGRESS_EVERY_MS = 5_000;

/** The step that brings all that a container is made of: its image, and what is injected into it. */
export function createFetchStep(options: FetchStepOptions): (entry: Entry) => Promise<void> {
  const { images, injects, clock } = options;

  /** Shows what is brought, if that takes its time: without progress it was there. */
  async function shown<T>(entry: Entry, what: string, fetch: Fetch<T>): Promise<T> {
    const began = clock.now();
    let toldAt = began;
    /** Of a pull that others began some has come before. */
    let firstBytes: number | undefined;
    let lastBytes = 0;
    const onProgress = (progress: string, bytes = 0): void => {
      const now = clock.now();
      if (entry.record.observed.state !== "pulling") note(entry, began, "Pulling", what);
      firstBytes ??= bytes;
      lastBytes = bytes;
      if (progress.startsWith(PULL_BACK_OFF)) note(entry, now, "Retry", progress);
      else if (now - toldAt >= PROGRESS_EVERY_MS) {
        noteAnew(entry, now, "Progress", `${what}: ${progress}`);
        toldAt = now;
      }
      observe(entry, { state: "pulling", progress });
    };
    const value = await fetch(onProgress, entry.interrupt.signal);
    if (entry.record.observed.state === "pulling") {
      const ms = clock.now() - began;
      const amount = amountOf({ lastBytes, firstBytes, ms });
      note(entry, clock.now(), "Pulled", `${what} in ${(ms / 1000).toFixed(1)} s${amount}`);
    }
    observe(entry, { state: "none" });
    return value;
  }

  /** What the caller asked for is mounted over what the image has there; by the rule it is not. */
  async function inject(entry: Entry, image: EngineImage): Promise<Injection[]> {
    const { command, inject: asked } = entry.record.spec;
    const paths = asked ?? (await injects.lacking(image, pathsInCommand(command, injects.paths)));
    const ready: Injection[] = [];
    // One after the other: they are of one image more often than not.
    for (const path of paths) {
      const fetch: Fetch<Injection> = (...by) => injects.ready(path, ...by);
      ready.push(await shown(entry, `the injected path ${path}`, fetch));
    }
    return ready;
  }

  return async (entry) => {
    const { image: reference, imagePullPolicy } = entry.record.spec;
    const image = await shown(entry, reference, (...by) =>
      images.fetch(reference, imagePullPolicy, ...by),
    );
    entry.injections = await inject(entry, image);
    entry.image = image;
  };
}

/** What came over the wire, in 10⁶ bytes, and how fast it came while somebody waited; empty where nobody says. */
function amountOf({
  lastBytes,
  firstBytes = 0,
  ms,
}: {
  lastBytes: number;
  firstBytes: number | undefined;
  ms: number;
}): string {
  if (lastBytes === 0) return "";
  const bytesPerMs = ms > 0 ? Math.max(0, lastBytes - firstBytes) / ms : 0;
  const rate = bytesPerMs > 0 ? `, ${(bytesPerMs / 1000).toFixed(1)} MB/s` : "";
  return `: ${(lastBytes / 1e6).toFixed(1)} MB${rate}`;
}
