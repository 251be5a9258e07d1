import { ServiceError } from "@remote-runtime/protocol";
import type { DiskEngine, DiskSpace } from "./disk-engine.ts";
import {
  aboveLow,
  isHigh,
  keptFreeBelowHigh,
  missingBelowHigh,
  missingFor,
  reserveOf,
  type DiskPolicy,
} from "./disk-policy.ts";
import { diskShortage } from "./disk-shortage.ts";
import type { DiskUse } from "./disk-use.ts";
import type { Evictor } from "./evictor.ts";

export interface DiskGuard {
  /**
   * Runs `work` once there is room for it, which may take ten minutes of waiting for images that nobody uses any more. Its
   * signal aborts when the disk is about to be full all the same; what was given up for others is run again after them.
   * Throws `disk_full` where there is no room, `unavailable` when `use.signal` aborts while it waits, and what `work` throws.
   */
  within<T>(use: DiskUse, work: (signal: AbortSignal) => Promise<T>): Promise<T>;
  /** What runs or waits for room if all of that belongs to prefetches. */
  onlyPrefetches(): "run" | "wait" | "none";
}

export type DiskGuardOptions = {
  engine: Pick<DiskEngine, "space">;
  evictor: Evictor;
  policy: DiskPolicy;
  /** Milliseconds, of any clock that goes on. */
  now: () => number;
  /** Rejects when the signal aborts. */
  sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  log: { warn(data: object, message: string): void };
};

type Task = {
  what: string;
  sizeBytes: number;
  isExtra: () => boolean;
  isEndless: boolean;
  /** Others wrote while it ran: that the disk got full says nothing of it alone. */
  isAccompanied: boolean;
  aborting: AbortController;
  ended: PromiseWithResolvers<void>;
};

const WAIT_MS = 10 * 60_000;
const LOOK_AGAIN_MS = 2_000;
/** The engine takes a moment to free what was removed or given up. */
const SETTLE_MS = 5_000;
/** In this time the fastest disks take a quarter of the default reserve. */
const WATCH_MS = 100;
/** What could not be removed now will hardly be so a moment later. */
const FREE_AGAIN_MS = 5_000;
/** An aborted pull takes a moment to end, and to free what it had. */
const ABORT_MS = 10_000;
const MOST_TRIES = 5;

/** Lets so much be written at once as the disk has room for. */
export function createDiskGuard(options: DiskGuardOptions): DiskGuard {
  const { engine, evictor, policy, now, log } = options;
  /** The oldest first. */
  const running = new Set<Task>();
  /** Those that run or wait. */
  const uses = new Set<DiskUse>();
  let someEnded = Promise.withResolvers<void>();
  let isWatching = false;
  let freeing: Promise<void> | undefined;
  let freeAgainAt = 0;

  const { signal: never } = new AbortController();
  const sleep = (ms: number, signal = never): Promise<void> =>
    options.sleep(ms, signal).catch(() => undefined);

  /** Nothing is known of how far the others are: they count as if they had just begun. */
  function missing({ sizeBytes, isExtra }: Task, space: DiskSpace): number {
    const promised = [...running].reduce((sum, task) => sum + task.sizeBytes, sizeBytes);
    const missingIn = isExtra() ? missingBelowHigh : missingFor;
    return missingIn(promised, space, policy);
  }

  /** Ends with the task among those that run. */
  async function admit(use: DiskUse, task: Task): Promise<void> {
    const { what, signal, outOfTurn = (wait) => wait() } = use;
    const began = now();
    for (;;) {
      if (signal.aborted) throw new ServiceError("unavailable", `${what}: given up`);
      const space = await engine.space();
      // Nobody else is let in between this look and the entry.
      if (!space || missing(task, space) <= 0) {
        running.add(task);
        if (running.size > 1) for (const each of running) each.isAccompanied = true;
        return;
      }
      await outOfTurn(() => untilRoom(use, task, began));
    }
  }

  /** Makes room and waits for it. Who comes first has it: to be looked at again. */
  async function untilRoom(
    { what, onWait, signal, patienceMs = WAIT_MS }: DiskUse,
    task: Task,
    began: number,
  ): Promise<void> {
    for (;;) {
      if (signal.aborted) throw new ServiceError("unavailable", `${what}: given up`);
      const isExtra = task.isExtra();
      let space = await engine.space();
      if (patienceMs > 0 && space && missing(task, space) > 0 && (await mayFit(task, space))) {
        onWait("making room on the engine's disk");
        space = await evictor.free((found) => missing(task, found), { sparing: isExtra });
      }
      if (!space || missing(task, space) <= 0) return;
      const text = await shortage(task, space);
      const waitMs = (await mayFit(task, space)) ? patienceMs : Math.min(patienceMs, SETTLE_MS);
      // For a start that has joined meanwhile there may be room.
      if (now() >= began + waitMs && task.isExtra() === isExtra) {
        throw new ServiceError("disk_full", `${what}: ${text}`);
      }
      onWait(`waiting for room: ${text}`);
      await Promise.race([someEnded.promise, sleep(LOOK_AGAIN_MS, signal)]);
    }
  }

  /** Whether what ends some time would give enough free. */
  async function mayFit(task: Task, space: DiskSpace): Promise<boolean> {
    if (running.size > 0) return true;
    const { reclaimableBytes } = await evictor.holdings({ sparing: task.isExtra() });
    return reclaimableBytes >= missing(task, space);
  }

  async function shortage(
    { sizeBytes, isExtra }: Pick<Task, "sizeBytes" | "isExtra">,
    space: DiskSpace,
  ): Promise<string> {
    const sparing = isExtra();
    const holdings = await evictor.holdings({ sparing });
    const keptFreeBytes = (sparing ? keptFreeBelowHigh : reserveOf)(space, policy);
    return diskShortage({ ...space, ...holdings, keptFreeBytes, neededBytes: sizeBytes });
  }

  /** While anything runs: makes room when it gets tight, and gives up what began last when that does not help. */
  async function watch(): Promise<void> {
    if (isWatching) return;
    isWatching = true;
    let isBlind = false;
    while (running.size > 0) {
      await sleep(WATCH_MS);
      try {
        if (running.size > 0) await look();
        isBlind = false;
      } catch (error) {
        if (!isBlind) log.warn({ err: error }, "the engine's disk cannot be watched now");
        isBlind = true;
      }
    }
    isWatching = false;
  }

  async function look(): Promise<void> {
    const space = await engine.space();
    if (!space || !isHigh(space, policy)) return;
    // As long as there is a prefetch to be given up, what prefetches have brought stays.
    const sparing = [...running].some(({ isExtra }) => isExtra());
    if (!freeing && now() >= freeAgainAt) {
      freeing = free(sparing).finally(() => (freeing = undefined));
      await Promise.race([freeing, sleep(WATCH_MS)]);
    }
    const then = await engine.space();
    if (!then) return;
    const isTooHigh = sparing && !freeing && isHigh(then, policy);
    const least = reserveOf(then, policy) / (freeing ? 2 : 1);
    if (isTooHigh || then.freeBytes < least) await giveUpLast(then);
  }

  async function free(sparing: boolean): Promise<void> {
    try {
      const space = await evictor.free((found) => aboveLow(found, policy), { sparing });
      if (!space || !isHigh(space, policy)) return;
    } catch (error) {
      log.warn({ err: error }, "no room can be made on the engine's disk now");
    }
    freeAgainAt = now() + FREE_AGAIN_MS;
  }

  async function giveUpLast({ freeBytes }: DiskSpace): Promise<void> {
    const tasks = [...running].filter(({ isEndless }) => !isEndless);
    const last = tasks.findLast(({ isExtra }) => isExtra()) ?? tasks.at(-1);
    if (!last) return;
    // Without it, more may be removed.
    if (last.isExtra()) freeAgainAt = 0;
    log.warn({ freeBytes }, `${last.what}: given up, as the engine's disk is almost full`);
    last.aborting.abort();
    await Promise.race([last.ended.promise, sleep(ABORT_MS)]);
  }

  /** `undefined`: it was given up, as the disk got full. */
  async function attempt<T>(
    task: Task,
    signal: AbortSignal,
    work: (signal: AbortSignal) => Promise<T>,
  ): Promise<{ value: T } | undefined> {
    void watch();
    try {
      return { value: await work(AbortSignal.any([signal, task.aborting.signal])) };
    } catch (error) {
      if (!task.aborting.signal.aborted || signal.aborted) throw error;
      return undefined;
    } finally {
      running.delete(task);
      task.ended.resolve();
      someEnded.resolve();
      someEnded = Promise.withResolvers();
    }
  }

  return {
    async within(use, work) {
      uses.add(use);
      try {
        return await tried(use, work);
      } finally {
        uses.delete(use);
      }
    },
    onlyPrefetches() {
      if (uses.size === 0 || ![...uses].every(({ isExtra }) => isExtra?.())) return "none";
      return running.size > 0 ? "run" : "wait";
    },
  };

  async function tried<T>(use: DiskUse, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const { what, sizeBytes = 0, isEndless = false, signal, onWait } = use;
    const { isExtra = () => false, outOfTurn = (wait) => wait() } = use;
    for (let tries = 1; ; tries += 1) {
      const aborting = new AbortController();
      const ended = Promise.withResolvers<void>();
      const task: Task = {
        what,
        sizeBytes,
        isExtra,
        isEndless,
        isAccompanied: false,
        aborting,
        ended,
      };
      await admit(use, task);
      const outcome = await attempt(task, signal, work);
      if (outcome) return outcome.value;
      if (tries === MOST_TRIES) return refuse(task);
      if (running.size === 0) {
        if (task.isAccompanied || (await hasMadeRoom(task))) continue;
        return refuse(task);
      }
      if (use.patienceMs === 0) return refuse(task);
      onWait("waiting for other pulls and builds to end, as the engine's disk is almost full");
      const others = Promise.all([...running].map((other) => other.ended.promise));
      await outOfTurn(() => Promise.race([others.then(() => undefined), whenAborted(use)]));
    }
  }

  /** What has only just come, or only just been left, could not go while the task ran. How much it needs nobody knows. */
  async function hasMadeRoom({ isExtra }: Task): Promise<boolean> {
    const before = await engine.space();
    if (!before) return false;
    const enoughBytes = before.freeBytes + before.totalBytes * (1 - policy.lowShare);
    const sparing = isExtra();
    const after = await evictor.free((found) => enoughBytes - found.freeBytes, { sparing });
    return after !== undefined && after.freeBytes > before.freeBytes;
  }

  async function refuse(task: Task): Promise<never> {
    const { what } = task;
    const space = await engine.space();
    const why = space ? await shortage(task, space) : "the engine's disk is full";
    throw new ServiceError("disk_full", `${what}: given up before it was whole: ${why}`);
  }
}

function whenAborted({ what, signal }: DiskUse): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => reject(new ServiceError("unavailable", `${what}: given up`));
  if (signal.aborted) onAbort();
  else signal.addEventListener("abort", onAbort, { once: true });
  return promise;
}
