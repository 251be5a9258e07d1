import { ServiceError } from "@remote-runtime/protocol";
import pLimit from "p-limit";
import { PULL_BACK_OFF, withBackoff, type Backoff } from "./backoff.ts";
import type { OnPullProgress } from "./image-engine.ts";

export type FetchOptions = {
  /** Canonical. */
  name: string;
  /** As the caller wrote it. */
  reference: string;
  onProgress: OnPullProgress;
  signal: AbortSignal;
  /** What the registry has now is wanted, and no copy. Default false. */
  fresh?: boolean;
  /** Takes none of the turns, as the caller sees to it that they are not too many. Default false. */
  extra?: boolean;
};

/** What a pull can ask of whoever lets it pull. */
export type PullTurn = {
  /** Whether nobody wants it but callers with `extra`. */
  isExtra: () => boolean;
  /** Lets others pull while `wait` goes on, and ends when there is a turn again after it. */
  outOfTurn: (wait: () => Promise<void>) => Promise<void>;
};

export type PullerEngine = {
  /** As `ImageEngine` has it. */
  pull(
    reference: string,
    onProgress: OnPullProgress,
    signal: AbortSignal,
    fresh: boolean | undefined,
    turn: PullTurn,
  ): Promise<void>;
};

export interface Puller {
  /** Ends when the engine holds the image. Callers of one name share one pull, but for `fresh` ones, which share another; it ends with the last of them. */
  pull(options: FetchOptions): Promise<void>;
  /** The names that are being pulled, or wait for that. */
  pulling(): readonly string[];
}

type Pull = {
  name: string;
  key: string;
  done: Promise<void>;
  /** The last that was told. */
  progress: string;
  bytes: number | undefined;
  listeners: Set<OnPullProgress>;
  isExtra: boolean;
  controller: AbortController;
};

const WAITING = "waiting for other pulls to end";

/** Pulls images, `maxPulls` at a time, asked at each turn; one that waits for its next try, or for room, leaves its turn to others. */
export function createPuller({
  engine,
  maxPulls,
  backoff,
  onPulled,
}: {
  engine: PullerEngine;
  maxPulls: () => number;
  /** Default: there is one try only. */
  backoff?: Backoff | undefined;
  /** Called when a pull has ended, well or not, before its callers hear of it. */
  onPulled: (name: string) => void;
}): Puller {
  const pulls = new Map<string, Pull>();
  const inTurn = pLimit(1);

  /** Ends when it is one's turn; answers what gives it back, which may be called again. */
  function takeTurn(): Promise<() => void> {
    const { promise, resolve } = Promise.withResolvers<() => void>();
    inTurn.concurrency = maxPulls();
    void inTurn(() => {
      const over = Promise.withResolvers<void>();
      resolve(() => {
        inTurn.concurrency = maxPulls();
        over.resolve();
      });
      return over.promise;
    });
    return promise;
  }

  function begin(key: string, options: FetchOptions): Pull {
    const { name, reference, fresh, extra = false } = options;
    const listeners = new Set<OnPullProgress>();
    const controller = new AbortController();
    const tell: OnPullProgress = (progress, bytes) => {
      pull.progress = progress;
      pull.bytes = bytes;
      for (const listener of listeners) listener(progress, bytes);
    };
    const { signal } = controller;
    const isExtra = (): boolean => pull.isExtra;
    const attempt = async (outOfTurn: PullTurn["outOfTurn"]): Promise<void> => {
      signal.throwIfAborted();
      tell("asking the registry");
      await engine.pull(reference, tell, signal, fresh, { isExtra, outOfTurn });
    };
    const inTurns = async (): Promise<void> => {
      if (extra) return attempt((wait) => wait());
      let giveBack = await takeTurn();
      try {
        await attempt(async (wait) => {
          giveBack();
          await wait();
          tell(WAITING);
          giveBack = await takeTurn();
        });
      } finally {
        giveBack();
      }
    };
    const onWait = (why: string): void => tell(`${PULL_BACK_OFF}: ${why}`);
    const run = async (): Promise<void> => {
      try {
        await (backoff ? withBackoff(inTurns, { backoff, onWait, signal }) : inTurns());
      } finally {
        forget(pull);
        onPulled(name);
      }
    };
    const pull: Pull = {
      name,
      key,
      done: Promise.resolve(),
      progress: WAITING,
      bytes: undefined,
      listeners,
      isExtra: extra,
      controller,
    };
    pulls.set(key, pull);
    pull.done = run();
    return pull;
  }

  /** A pull that is given up must not be joined, though it takes a moment to end. */
  function forget(pull: Pull): void {
    if (pulls.get(pull.key) === pull) pulls.delete(pull.key);
  }

  return {
    pulling: () => [...new Set([...pulls.values()].map(({ name }) => name))],
    async pull(options) {
      const { name, reference, onProgress, signal } = options;
      signal.throwIfAborted();
      // A copy must not do for what the registry has now.
      const key = options.fresh ? `fresh ${name}` : name;
      const pull = pulls.get(key) ?? begin(key, options);
      if (options.extra !== true) pull.isExtra = false;
      const listener: OnPullProgress = (progress, bytes) => onProgress(progress, bytes);
      const aborted = Promise.withResolvers<never>();
      const onAbort = (): void =>
        aborted.reject(new ServiceError("unavailable", `the pull of ${reference} was given up`));
      signal.addEventListener("abort", onAbort, { once: true });
      pull.listeners.add(listener);
      onProgress(pull.progress, pull.bytes);
      try {
        await Promise.race([pull.done, aborted.promise]);
      } finally {
        signal.removeEventListener("abort", onAbort);
        pull.listeners.delete(listener);
        if (pull.listeners.size === 0) {
          forget(pull);
          pull.controller.abort();
        }
      }
    },
  };
}
