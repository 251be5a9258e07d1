import { ServiceError } from "@remote-runtime/protocol";
import pLimit from "p-limit";
import type { Backoff } from "./backoff.ts";
import { canonicalNames } from "./canonical-names.ts";
import { canonicalReference } from "./canonical-reference.ts";
import { type ImageDisk, unboundedDisk } from "./image-disk.ts";
import type { EngineImage, ImageEngine, OnPullProgress } from "./image-engine.ts";
import { createPuller, type FetchOptions, type PullerEngine } from "./puller.ts";
import { reworded } from "./registry-away-error.ts";

export type PullPolicy = "Always" | "IfNotPresent" | "Never";

export interface ImageStore {
  /** The image as the engine holds it, from memory where that is fresh; `undefined` when it is not there. */
  held(reference: string): Promise<EngineImage | undefined>;
  /**
   * The image, pulled if the policy asks for it: with `Always` what the engine holds does not do in place of a pull that
   * fails. Callers of one image share one pull; it is given up when the last of them aborts. `not_found` when no
   * registry has it, `unavailable` when the pull failed for another reason; a RegistryAwayError is the last of several tries.
   * With `extra` a pull takes none of the `maxPulls` turns, and is `disk_full` where it would have to remove what other such
   * callers want (default false). Progress is told of pulls only.
   */
  fetch(
    reference: string,
    policy: PullPolicy,
    onProgress: OnPullProgress,
    signal: AbortSignal,
    options?: { extra: boolean },
  ): Promise<EngineImage>;
  /** Everything that the engine held at the last refresh, by canonical reference; a new map after each. */
  inventory(): ReadonlyMap<string, EngineImage>;
  /** Canonical references that are being pulled now. */
  pulling(): readonly string[];
  /** The engine's images changed: none is taken from memory before the engine was asked again. */
  outdate(): void;
  /** Reads the whole list again. */
  refresh(): Promise<void>;
}

/** So often it is waited for an engine that pulls an image, as the one before has failed or takes too long. */
const MOST_WAITS = 3;

/** Knows which images an engine holds and brings missing ones, `maxPulls` (default 3) at a time. */
export function createImageStore({
  engine,
  maxPulls = () => 3,
  backoff,
  disk = unboundedDisk,
}: {
  engine: ImageEngine;
  /** Asked at each turn. */
  maxPulls?: () => number;
  /** Between tries of a pull while its registry is away. Default: there is one try only. */
  backoff?: Backoff;
  /** Makes room for what is pulled. Default: there is always room. */
  disk?: ImageDisk;
}): ImageStore {
  const known = new Map<string, EngineImage>();
  // A list that was asked for earlier must not replace a later one.
  const oneAtATime = pLimit(1);
  let all: ReadonlyMap<string, EngineImage> = new Map();
  /** Questions to the engine that are not answered yet: a thousand starts of one image ask once. */
  const asking = new Map<string, Promise<EngineImage | undefined>>();
  /** Grows whenever the engine's images may have changed: an older answer is not kept, nor waited for. */
  let generation = 0;

  const puller = createPuller({
    engine: { pull: bring },
    maxPulls,
    backoff,
    onPulled(name) {
      supersede();
      known.delete(name);
    },
  });

  function supersede(): void {
    generation += 1;
    asking.clear();
  }

  async function held(reference: string): Promise<EngineImage | undefined> {
    const name = canonicalReference(reference);
    const cached = known.get(name) ?? asking.get(name);
    if (cached) return cached;
    const answer = ask(name, reference);
    asking.set(name, answer);
    return answer;
  }

  async function ask(name: string, reference: string): Promise<EngineImage | undefined> {
    const asked = generation;
    try {
      const image = await engine.image(reference);
      if (image && asked === generation) known.set(name, image);
      return image;
    } finally {
      if (asked === generation) asking.delete(name);
    }
  }

  async function refresh(): Promise<void> {
    supersede();
    const asked = generation;
    const images = await engine.images();
    const found = new Map(
      images.flatMap((image) => canonicalNames(image.references).map((name) => [name, image])),
    );
    all = found;
    known.clear();
    // What was pulled since is newer than the list, and is asked for when it is needed.
    if (asked !== generation) return;
    for (const [name, image] of found) known.set(name, image);
    supersede();
  }

  /** A pull with what belongs to it; those who share it do not notice. */
  async function bring(
    ...[reference, onProgress, signal, fresh, turn]: Parameters<PullerEngine["pull"]>
  ): Promise<void> {
    const name = canonicalReference(reference);
    const before = await engine.image(reference);
    const use = { what: `pull of ${reference}`, name, onWait: onProgress, signal, ...turn };
    for (let waits = 0; ; waits += 1) {
      const request = { fresh, mayWait: waits < MOST_WAITS };
      const elsewhere = await disk.within(use, (aborting) =>
        engine.pull(reference, onProgress, aborting, request),
      );
      if (!elsewhere) break;
      await turn.outOfTurn(() => elsewhere.wait(onProgress, signal));
    }
    const image = await engine.image(reference);
    if (image && image.id !== before?.id) await disk.brought(reference, image);
  }

  async function got(
    reference: string,
    policy: PullPolicy,
    pull: FetchOptions,
  ): Promise<EngineImage> {
    switch (policy) {
      case "Always":
        return pulled({ ...pull, fresh: true }).catch(async (error: unknown) => {
          throw await withHint(error, reference);
        });
      case "IfNotPresent":
        return (await held(reference)) ?? pulled(pull);
      case "Never": {
        const image = await held(reference);
        if (image) return image;
        const problem = "is not on this engine, and its pull policy is Never";
        throw new ServiceError("not_found", `the image ${reference} ${problem}`);
      }
    }
  }

  async function pulled(pull: FetchOptions): Promise<EngineImage> {
    await puller.pull(pull);
    const image = await held(pull.reference);
    if (image) return image;
    throw new ServiceError(
      "unavailable",
      `the image ${pull.reference} was pulled and is gone again`,
    );
  }

  return {
    held,
    async fetch(reference, policy, onProgress, signal, { extra } = { extra: false }) {
      const pull = { name: canonicalReference(reference), reference, onProgress, signal, extra };
      const image = await got(reference, policy, pull);
      disk.used(image.id);
      return image;
    },
    inventory: () => all,
    pulling: puller.pulling,
    outdate() {
      supersede();
      known.clear();
    },
    refresh: () => oneAtATime(refresh),
  };

  /** People who see the image on the engine shall not have to wonder. */
  async function withHint(error: unknown, reference: string): Promise<unknown> {
    if (!(error instanceof ServiceError) || !(await held(reference).catch(() => undefined))) {
      return error;
    }
    const hint = "image_pull_policy is Always, so the one on the engine is not used";
    return reworded(error, `${error.message} (${hint})`);
  }
}
