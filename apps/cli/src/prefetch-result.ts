import type { PrefetchShare } from "@remote-runtime/protocol";
import type { BuildOutcome } from "./build-images.ts";
import { formatBytes } from "./bytes.ts";
import { formatDuration } from "./duration.ts";
import { ExitError, exitCodes } from "./exit-error.ts";
import { plural } from "./plural.ts";
import { printable, printLine } from "./print.ts";
import { tallyOf } from "./prefetch-tally.ts";
import type { Out } from "./terminal.ts";

export type PrefetchResult = {
  id: string;
  copies: number;
  seconds: number;
  shares: readonly PrefetchShare[];
  builds: readonly BuildOutcome[];
  /** How many were pinned that were not before; undefined: it was not asked for. */
  pinned: number | undefined;
};

type Failure = { image: string; replica_id: string | null; error: string };

function failuresOf({ shares, builds }: PrefetchResult): Failure[] {
  const built = builds.flatMap((build): Failure[] =>
    build.kind === "failed" ? [{ image: build.image, replica_id: null, error: build.error }] : [],
  );
  const pulled = shares.flatMap(({ replica_id, failures }) =>
    failures.map((failure) => ({ ...failure, replica_id })),
  );
  return [...built, ...pulled];
}

function countOf(builds: readonly BuildOutcome[], wanted: BuildOutcome["kind"]): number {
  return builds.filter(({ kind }) => kind === wanted).length;
}

/** For scripts. */
export function prefetchDocument(result: PrefetchResult): object {
  const { id, copies, seconds, shares, builds, pinned } = result;
  const { pulledBytes, arrivedBytes: _arrived, ...counts } = tallyOf(shares);
  // In no replica's share: what is not built is not brought anywhere.
  const notBuilt = countOf(builds, "failed");
  return {
    prefetch_id: id,
    copies,
    ...counts,
    images: counts.images + notBuilt,
    failed: counts.failed + notBuilt,
    pulled_bytes: pulledBytes,
    seconds,
    built: countOf(builds, "built"),
    pinned: pinned ?? 0,
    failures: failuresOf(result),
    replicas: shares.map((share) => ({
      replica_id: share.replica_id,
      held: share.held,
      pulled: share.pulled,
      running: share.running,
      waiting: share.waiting,
      failed: share.failed,
      cancelled: share.cancelled,
      pulled_bytes: share.pulled_bytes,
    })),
  };
}

/** For people: what failed and why, then one line for all. */
export function printPrefetchResult(
  { stdout, stderr }: { stdout: Out; stderr: Out },
  result: PrefetchResult,
): void {
  const { shares, builds, pinned, seconds } = result;
  for (const { image, replica_id, error } of failuresOf(result)) {
    const place = replica_id === null ? "build" : printable(replica_id);
    printLine(stderr, `failed: ${printable(image)} (${place}): ${printable(error)}`);
  }
  const { held, pulled, failed, cancelled, pulledBytes } = tallyOf(shares);
  const built = countOf(builds, "built");
  // What was built is held where it was built, mostly where it belongs.
  const there = Math.max(0, held - built);
  const lost = failed + countOf(builds, "failed");
  const words = [
    `${plural(pulled, "image")} pulled (${formatBytes(pulledBytes)})`,
    ...(built > 0 ? [`${built} built`] : []),
    ...(there > 0 ? [`${there} ${there === 1 ? "was" : "were"} there`] : []),
    ...(lost > 0 ? [`${lost} failed`] : []),
    ...(cancelled > 0 ? [`${cancelled} taken back`] : []),
    ...(pinned === undefined ? [] : [`${pinned} newly pinned`]),
  ];
  printLine(stdout, `${words.join(", ")}, in ${formatDuration(seconds)}`);
}

/** Throws where not everything is where it belongs. */
export function assertPrefetched({ shares, builds }: PrefetchResult): void {
  const { failed, cancelled } = tallyOf(shares);
  const notBuilt = countOf(builds, "failed");
  if (failed + notBuilt > 0) {
    const text = `${plural(failed + notBuilt, "image")} failed; the same command tries them again`;
    throw new ExitError(exitCodes.failed, text);
  }
  if (cancelled > 0) {
    const text = `somebody took ${plural(cancelled, "image")} back; the same command goes on`;
    throw new ExitError(exitCodes.failed, text);
  }
}
