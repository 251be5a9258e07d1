import type { PrefetchShare } from "@remote-runtime/protocol";

/** A prefetch as a whole. An image that goes to several replicas counts once for each. */
export type PrefetchTally = {
  images: number;
  held: number;
  pulled: number;
  failed: number;
  cancelled: number;
  running: number;
  waiting: number;
  pulledBytes: number;
  /** The same and what has come of the others. */
  arrivedBytes: number;
};

export type PrefetchPace = {
  bytesPerSecond: number;
  /** Until nothing is left; undefined while nothing has ended yet. */
  secondsLeft: number | undefined;
};

export function tallyOf(shares: Iterable<PrefetchShare>): PrefetchTally {
  const tally = { held: 0, pulled: 0, failed: 0, cancelled: 0, running: 0, waiting: 0 };
  const names = Object.keys(tally) as (keyof typeof tally)[];
  let pulledBytes = 0;
  let underWayBytes = 0;
  for (const share of shares) {
    for (const name of names) tally[name] += share[name];
    pulledBytes += share.pulled_bytes;
    for (const { bytes } of share.pulls) underWayBytes += bytes;
  }
  const images = names.reduce((sum, name) => sum + tally[name], 0);
  return { images, pulledBytes, arrivedBytes: pulledBytes + underWayBytes, ...tally };
}

/** How many need nothing more. */
export function overIn({ images, running, waiting }: PrefetchTally): number {
  return images - running - waiting;
}

/** What `seconds` have brought since `first`: images that were there already took no time, and promise nothing. */
export function paceOf(first: PrefetchTally, now: PrefetchTally, seconds: number): PrefetchPace {
  const ended = now.pulled + now.failed - first.pulled - first.failed;
  const left = now.running + now.waiting;
  return {
    bytesPerSecond: seconds > 0 ? Math.max(0, now.arrivedBytes - first.arrivedBytes) / seconds : 0,
    secondsLeft: ended > 0 && seconds > 0 ? (left * seconds) / ended : undefined,
  };
}
