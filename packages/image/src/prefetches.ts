import { MOST_PREFETCH_FAILURES, ServiceError } from "@remote-runtime/protocol";
import { digestsIn } from "./digest-mark.ts";
import type { EngineImage, OnPullProgress } from "./image-engine.ts";
import type { ImageStore } from "./image-store.ts";

/** How far a prefetch is. Each image counts for one of `held` to `cancelled`. */
export type PrefetchView = {
  /** The engine had it when its turn came. */
  held: number;
  /** Pulled by now. */
  pulled: number;
  running: number;
  waiting: number;
  failed: number;
  /** Taken back before its turn. */
  cancelled: number;
  /** Of the images that were pulled, as the engine holds them. */
  pulledBytes: number;
  /** Those that are being pulled, with the last word of it, and what has come over the wire. */
  pulls: { image: string; progress: string; bytes: number }[];
  /** The first thousand of them. */
  failures: { image: string; error: string }[];
};

export interface Prefetches {
  /**
   * Brings these images, canonical references, to the engine, one after another; begins at once. Under an id that is known
   * already, those that it has go on as they are; with `anew`, what is over is looked at again, and pulled where the engine
   * lacks it. With the first that finds no room on the disk it stops, and the rest fails as that did. Throws `unavailable`
   * when too much is asked for at once.
   */
  give(id: string, images: readonly string[], options: { anew: boolean }): PrefetchView;
  /** Whether the image, by canonical reference or digest, belongs to a prefetch of which not all is over, and has not failed. */
  wants(image: string): boolean;
  /** The engine has given up an image to make room, of which these are the names: whoever has prefetched it is told. */
  evicted(names: readonly string[]): void;
  /** `undefined`: not known here, or forgotten since. */
  view(id: string): PrefetchView | undefined;
  /** What waits is not pulled any more; what runs goes on. `undefined` as for `view`. */
  cancel(id: string): PrefetchView | undefined;
  /** Gives up everything, also what runs. */
  close(): void;
}

export type PrefetchesOptions = {
  images: Pick<ImageStore, "fetch" | "pulling" | "inventory">;
  /** So many at a time, but only one while starts of runtimes pull; these have as many turns of their own. */
  maxPulls: () => number;
};

type State =
  | { kind: "waiting" | "held" | "cancelled" }
  | { kind: "running"; progress: string; bytes: number }
  | { kind: "pulled"; sizeBytes: number }
  | { kind: "failed"; error: string };

type Prefetch = {
  states: Map<string, State>;
  /** Of those whose name has one: from a mirror an image comes by another name. */
  byDigest: Map<string, string>;
  /** Those whose state is `waiting`, in turn. */
  queue: Set<string>;
  /** How many are `running`. */
  running: number;
};

/** Those that are over are kept to be asked about, the latest of them. */
const MOST_PREFETCHES = 16;
/** Of all prefetches together. */
const MOST_IMAGES = 100_000;
const MOST_ERROR_CHARACTERS = 1_000;
const NO_ROOM =
  "unpin images or prefetch fewer of them, with fewer copies or onto more engines, or give the engine a larger disk";

/** Pulls lists of images in the background of the starts, which never wait for it. State is in memory. */
export function createPrefetches({ images, maxPulls }: PrefetchesOptions): Prefetches {
  const prefetches = new Map<string, Prefetch>();
  /** By canonical reference. */
  const running = new Set<string>();
  const ending = new AbortController();

  function fill(): void {
    while (!ending.signal.aborted && running.size < room()) {
      const next = takeNext();
      if (!next) return;
      running.add(next.image);
      void run(next);
    }
  }

  /** While a start pulls, one at most: their layers go the same way, in an engine that knows no order of importance. */
  function room(): number {
    const isAlone = images.pulling().every((image) => running.has(image));
    return isAlone ? maxPulls() : 1;
  }

  /** First come, first served; an image that another prefetch is at waits for that. */
  function takeNext(): { prefetch: Prefetch; image: string } | undefined {
    for (const prefetch of prefetches.values()) {
      for (const image of prefetch.queue) {
        if (running.has(image)) continue;
        prefetch.queue.delete(image);
        return { prefetch, image };
      }
    }
    return undefined;
  }

  async function run({ prefetch, image }: { prefetch: Prefetch; image: string }): Promise<void> {
    const { states } = prefetch;
    let isPull = false;
    prefetch.running += 1;
    states.set(image, { kind: "running", progress: "", bytes: 0 });
    const onProgress: OnPullProgress = (progress, bytes = 0) => {
      isPull = true;
      states.set(image, { kind: "running", progress, bytes });
    };
    try {
      const extra = { extra: true };
      const found = await images.fetch(image, "IfNotPresent", onProgress, ending.signal, extra);
      states.set(image, isPull ? pulledState(found) : { kind: "held" });
    } catch (error) {
      if (isDiskFull(error)) {
        states.set(image, { kind: "failed", error: fullText(error.message) });
        stop(prefetch, fullText(`not begun, as there was no room before it: ${error.message}`));
      } else states.set(image, { kind: "failed", error: textOf(error) });
    } finally {
      prefetch.running -= 1;
      running.delete(image);
      fill();
    }
  }

  /** What the disk has no room for would take it from what the list has brought already. */
  function stop({ states, queue }: Prefetch, error: string): void {
    const held = images.inventory();
    for (const image of queue) {
      states.set(image, held.has(image) ? { kind: "held" } : { kind: "failed", error });
    }
    queue.clear();
  }

  /** Forgets what is over, the oldest first, until there is room. Throws when there is none even so. */
  function makeRoom(id: string, count: number): void {
    const hasRoom = (): boolean => {
      const others = [...prefetches].filter(([other]) => other !== id).length;
      const held = [...prefetches.values()].reduce((sum, { states }) => sum + states.size, 0);
      return others < MOST_PREFETCHES && held + count <= MOST_IMAGES;
    };
    for (const [other, prefetch] of prefetches) {
      if (hasRoom()) return;
      if (other !== id && isOver(prefetch)) prefetches.delete(other);
    }
    if (hasRoom()) return;
    const limit = `${MOST_PREFETCHES} prefetches, with ${MOST_IMAGES.toLocaleString("en-US")} images together`;
    throw new ServiceError(
      "unavailable",
      `a replica takes at most ${limit}; wait until some are over`,
    );
  }

  return {
    give(id, given, { anew }) {
      const known = prefetches.get(id);
      const added = given.filter((image) => !known?.states.has(image));
      makeRoom(id, added.length);
      const prefetch: Prefetch = known ?? newPrefetch();
      prefetches.set(id, prefetch);
      const over = anew ? given.filter((image) => isEnd(prefetch.states.get(image))) : [];
      for (const image of [...added, ...over]) {
        prefetch.states.set(image, { kind: "waiting" });
        prefetch.queue.add(image);
        for (const digest of digestsIn([image])) prefetch.byDigest.set(digest, image);
      }
      fill();
      return viewOf(prefetch.states);
    },
    wants(image) {
      for (const prefetch of prefetches.values()) {
        const kind = prefetch.states.get(nameOf(image, prefetch))?.kind ?? "failed";
        if (!isOver(prefetch) && kind !== "failed" && kind !== "cancelled") return true;
      }
      return false;
    },
    evicted(names) {
      for (const prefetch of prefetches.values()) {
        const { states } = prefetch;
        for (const name of names.map((each) => nameOf(each, prefetch))) {
          const kind = states.get(name)?.kind;
          if (kind !== "held" && kind !== "pulled") continue;
          states.set(name, { kind: "failed", error: fullText("removed again to make room") });
        }
      }
    },
    view(id) {
      const prefetch = prefetches.get(id);
      return prefetch && viewOf(prefetch.states);
    },
    cancel(id) {
      const prefetch = prefetches.get(id);
      if (!prefetch) return undefined;
      for (const image of prefetch.queue) prefetch.states.set(image, { kind: "cancelled" });
      prefetch.queue.clear();
      return viewOf(prefetch.states);
    },
    close: () => ending.abort(),
  };
}

function newPrefetch(): Prefetch {
  return { states: new Map(), byDigest: new Map(), queue: new Set(), running: 0 };
}

/** As the list has it. */
function nameOf(image: string, { states, byDigest }: Prefetch): string {
  const [digest = ""] = states.has(image) ? [] : digestsIn([image]);
  return byDigest.get(digest) ?? image;
}

function pulledState({ sizeBytes }: EngineImage): State {
  return { kind: "pulled", sizeBytes };
}

function isEnd(state: State | undefined): boolean {
  return state !== undefined && state.kind !== "waiting" && state.kind !== "running";
}

function isOver({ queue, running }: Prefetch): boolean {
  return queue.size === 0 && running === 0;
}

function isDiskFull(error: unknown): error is ServiceError {
  return error instanceof ServiceError && error.code === "disk_full";
}

function fullText(what: string): string {
  return cut(`disk_full: ${what}; ${NO_ROOM}`);
}

function textOf(error: unknown): string {
  return cut(error instanceof Error ? error.message : String(error));
}

function cut(text: string): string {
  return text.slice(0, MOST_ERROR_CHARACTERS);
}

function viewOf(states: ReadonlyMap<string, State>): PrefetchView {
  const view: PrefetchView = {
    held: 0,
    pulled: 0,
    running: 0,
    waiting: 0,
    failed: 0,
    cancelled: 0,
    pulledBytes: 0,
    pulls: [],
    failures: [],
  };
  for (const [image, state] of states) {
    view[state.kind] += 1;
    switch (state.kind) {
      case "pulled":
        view.pulledBytes += state.sizeBytes;
        break;
      case "running":
        view.pulls.push({ image, progress: state.progress, bytes: state.bytes });
        break;
      case "failed":
        if (view.failures.length < MOST_PREFETCH_FAILURES)
          view.failures.push({ image, error: state.error });
        break;
      case "waiting":
      case "held":
      case "cancelled":
    }
  }
  return view;
}
