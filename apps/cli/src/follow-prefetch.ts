import type { Client } from "@remote-runtime/client";
import {
  MOST_PREFETCH_FAILURES,
  MOST_PREFETCH_IMAGES,
  type PrefetchShare,
} from "@remote-runtime/protocol";
import { ExitError, exitCodes } from "./exit-error.ts";
import { mayPass } from "./explain.ts";
import { plural } from "./plural.ts";
import { printable } from "./print.ts";
import type { Terminal } from "./terminal.ts";

/** The first looks come sooner, as short lists are done in no time. */
const POLL_MS = 1_000;
const FIRST_POLL_MS = 100;
const CALL_TIMEOUT_MS = 30_000;
const CANCEL_TIMEOUT_MS = 5_000;
/** What a replica had that has not answered for so long is given again: to others, if it is gone. */
const GONE_MS = 30_000;
/** Between two attempts to give a replica what it should have. */
const GIVE_AGAIN_MS = 5_000;
/** A server that has not answered for so long is not waited for any more. */
const SILENCE_MS = 600_000;

export type PrefetchWanted = {
  id: string;
  images: readonly string[];
  copies: number;
};

export type FollowOptions = {
  client: Client;
  /** A replica that has taken no part for so long is not waited for any more: its images have failed. */
  patienceMs: number;
  terminal: Pick<Terminal, "now" | "sleep" | "signal">;
  /** Called after each look. */
  onShares: (shares: readonly PrefetchShare[]) => void;
  /** Called with what the user may want to know meanwhile. */
  say: (text: string) => void;
};

type Part = {
  share: PrefetchShare;
  /** When it last was `working`, or was given. */
  heardAt: number;
  /** What it did not take when the list was given last. */
  missed: Pick<PrefetchShare, "failed" | "failures">;
  /** It is not waited for, unless it answers after all. */
  isGivenUp?: true;
};

const NOTHING_MISSED = { failed: 0, failures: [] };

/** Tells the servers what is wanted; `anew` as in the API. Lists of any length. */
export async function givePrefetch(
  { id, images, copies }: PrefetchWanted,
  { client, signal, anew }: { client: Client; signal: AbortSignal; anew: boolean },
): Promise<PrefetchShare[]> {
  const shares = new Map<string, PrefetchShare>();
  for (let from = 0; from < images.length; from += MOST_PREFETCH_IMAGES) {
    const part = images.slice(from, from + MOST_PREFETCH_IMAGES);
    const body = { prefetch_id: id, images: part, copies, anew };
    const options = { signal, timeoutMs: CALL_TIMEOUT_MS };
    const answer = await client.call("prefetch", { body }, options);
    // A replica's answer tells of all that it has so far; one that missed a part is to be given it again.
    for (const share of answer.replicas) {
      const before = shares.get(share.replica_id);
      if (before?.state !== "silent") shares.set(share.replica_id, share);
      else if (share.state === "silent") shares.set(share.replica_id, bothMissed(before, share));
    }
  }
  return [...shares.values()];
}

/**
 * Watches until nothing is left to do. A replica that was started anew is given its part again, and the part of one that is
 * gone goes to others; one that is there and takes none is given up in the end, and its images have failed. Throws ExitError
 * when the user interrupts, after what has not begun was taken back, and when the server is silent for ten minutes.
 */
export async function followPrefetch(
  wanted: PrefetchWanted,
  options: FollowOptions,
): Promise<PrefetchShare[]> {
  const { client, terminal, onShares, patienceMs } = options;
  const { signal, now, sleep } = terminal;
  let parts = new Map<string, Part>();
  let answeredAt = now();
  let givenAt = 0;

  function take(shares: readonly PrefetchShare[]): void {
    for (const share of shares) {
      const before = parts.get(share.replica_id);
      const missed = share.failed > 0 ? share : (before?.missed ?? NOTHING_MISSED);
      if (share.state === "working") {
        parts.set(share.replica_id, { share, heardAt: now(), missed: NOTHING_MISSED });
      } else if (!before) {
        const waits = { ...share, ...NOTHING_MISSED, waiting: share.failed };
        parts.set(share.replica_id, { share: waits, heardAt: now(), missed });
      } else if (!before.isGivenUp) {
        before.missed = missed;
        // What it said last is shown until it says more.
        const state = share.state === "unknown" ? "unknown" : before.share.state;
        before.share = { ...before.share, state, error: share.error };
      }
    }
    answeredAt = now();
    onShares(sharesOf(parts));
  }

  async function give(anew: boolean): Promise<void> {
    givenAt = now();
    const shares = await givePrefetch(wanted, { client, signal, anew });
    const given = new Set(shares.map(({ replica_id: id }) => id));
    // What is gone, and has no part any more, is with others now.
    const stays = ([id, part]: [string, Part]): boolean => given.has(id) || !isGone(part);
    parts = new Map([...parts].filter(stays));
    take(shares);
  }

  /** What it had pulled by then, nobody knows. */
  function giveUp(part: Part): void {
    const { share, missed } = part;
    const { replica_id, running, waiting } = share;
    const seconds = Math.round((answeredAt - part.heardAt) / 1000);
    const silence = `replica ${replica_id} has taken no part for ${seconds} s`;
    const error = share.error === "" ? silence : `${silence}: ${share.error}`;
    part.isGivenUp = true;
    part.share = {
      ...noShareOf(replica_id, error),
      failed: Math.max(missed.failed, running + waiting),
      failures: missed.failures.map(({ image }) => ({ image, error })),
    };
    options.say(`${printable(error)}; it is not waited for any more`);
    onShares(sharesOf(parts));
  }

  const isGone = ({ heardAt }: Part): boolean => now() - heardAt >= GONE_MS;

  async function look(): Promise<void> {
    const input = { params: { prefetch_id: wanted.id } };
    const { replicas } = await client.call("prefetchProgress", input, { signal });
    take(replicas.filter(({ replica_id: id }) => parts.has(id)));
    const lost = open(parts).filter((part) => part.share.state !== "working" || isGone(part));
    const isDue = now() - givenAt >= (lost.every(isGone) ? GONE_MS : GIVE_AGAIN_MS);
    if (lost.length === 0 || !isDue) return;
    const names = lost.map(({ share }) => printable(share.replica_id)).join(", ");
    options.say(`what ${names} had to do is given again`);
    await give(false);
  }

  try {
    await give(true);
    for (
      let pollMs = FIRST_POLL_MS;
      open(parts).length > 0;
      pollMs = Math.min(POLL_MS, pollMs * 2)
    ) {
      await sleep(pollMs, signal);
      await look().catch((error: unknown) => {
        if (signal.aborted || !mayPass(error)) throw error;
      });
      checkSilence(now() - answeredAt);
      // While the server does not answer, nobody is heard of.
      for (const part of open(parts)) if (answeredAt - part.heardAt >= patienceMs) giveUp(part);
    }
    return sharesOf(parts);
  } catch (error) {
    if (!signal.aborted) throw error;
    throw await interrupted(wanted, { client, parts, error });
  }
}

function sharesOf(parts: ReadonlyMap<string, Part>): PrefetchShare[] {
  return [...parts.values()].map(({ share }) => share);
}

/** Those of which something is left to do. */
function open(parts: ReadonlyMap<string, Part>): Part[] {
  return [...parts.values()].filter(
    ({ isGivenUp, share: { state, running, waiting } }) =>
      !isGivenUp && (state !== "working" || running + waiting > 0),
  );
}

function noShareOf(replica_id: string, error: string): PrefetchShare {
  const none = { held: 0, pulled: 0, running: 0, waiting: 0, cancelled: 0, pulled_bytes: 0 };
  return { replica_id, state: "silent", error, ...none, ...NOTHING_MISSED, pulls: [] };
}

function bothMissed(one: PrefetchShare, other: PrefetchShare): PrefetchShare {
  const failures = [...one.failures, ...other.failures].slice(0, MOST_PREFETCH_FAILURES);
  return { ...other, failed: one.failed + other.failed, failures };
}

function checkSilence(silenceMs: number): void {
  if (silenceMs < SILENCE_MS) return;
  const text = `the server has not answered for ${SILENCE_MS / 60_000} min`;
  throw new ExitError(exitCodes.unreachable, text);
}

/** Takes back what has not begun, and says what becomes of the rest. */
async function interrupted(
  { id }: PrefetchWanted,
  { client, parts, error }: { client: Client; parts: ReadonlyMap<string, Part>; error: unknown },
): Promise<ExitError> {
  const cause = { cause: error };
  const again = "the same command goes on with it";
  try {
    const input = { params: { prefetch_id: id } };
    const { replicas } = await client.call("cancelPrefetch", input, {
      timeoutMs: CANCEL_TIMEOUT_MS,
    });
    const told = replicas.filter(
      ({ replica_id, state }) => parts.has(replica_id) && state === "working",
    );
    const cancelled = told.reduce((sum, share) => sum + share.cancelled, 0);
    const running = told.reduce((sum, share) => sum + share.running, 0);
    const text = `${plural(cancelled, "image")} taken back, ${running} still being pulled; ${again}`;
    return new ExitError(exitCodes.interrupted, text, cause);
  } catch {
    const text = `the server could not be told to stop, so it may pull on; ${again}`;
    return new ExitError(exitCodes.interrupted, text, cause);
  }
}
