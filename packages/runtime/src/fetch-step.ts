import {
  PULL_BACK_OFF,
  type EngineImage,
  type ImageStore,
  type InjectStore,
  type Injection,
} from "@remote-runtime/image";
import type { Clock } from "./clock.ts";
import { note, observe, type Entry } from "./entry.ts";
import { pathsInCommand } from "./inject-choice.ts";

export type FetchStepOptions = {
  images: ImageStore;
  injects: InjectStore;
  clock: Clock;
};

type Fetch<T> = (onProgress: (progress: string) => void, signal: AbortSignal) => Promise<T>;

/** The step that brings all that a container is made of: its image, and what is injected into it. */
export function createFetchStep(options: FetchStepOptions): (entry: Entry) => Promise<void> {
  const { images, injects, clock } = options;

  /** Shows what is brought, if that takes its time: without progress it was there. */
  async function shown<T>(entry: Entry, what: string, fetch: Fetch<T>): Promise<T> {
    const began = clock.now();
    const onProgress = (progress: string): void => {
      if (entry.record.observed.state !== "pulling") note(entry, began, "Pulling", what);
      if (progress.startsWith(PULL_BACK_OFF)) note(entry, clock.now(), "Retry", progress);
      observe(entry, { state: "pulling", progress });
    };
    const value = await fetch(onProgress, entry.interrupt.signal);
    if (entry.record.observed.state === "pulling") {
      const seconds = ((clock.now() - began) / 1000).toFixed(1);
      note(entry, clock.now(), "Pulled", `${what} in ${seconds} s`);
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
