import { RegistryAwayError, RegistryBusyError } from "./registry-away-error.ts";

/** What waiting is made of. */
export type Backoff = {
  /** Ends after `ms`, or rejects when `signal` aborts. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
  /** From 0 to 1, so that not all come back at once. */
  random(): number;
};

export type Retry = {
  backoff: Backoff;
  /** Told before each wait, in words for people. */
  onWait: (why: string) => void;
  signal: AbortSignal;
};

/** Begins the progress of a pull that waits for its next try; clients know it from Kubernetes. */
export const PULL_BACK_OFF = "ImagePullBackOff";

/** Before the second try, and so on; each is up to half longer or shorter. */
const WAITS_MS = [1_000, 4_000, 10_000, 20_000];
/** So long it is waited for registries that want to be asked less, beside that. */
const MOST_BUSY_MS = 600_000;

/**
 * Runs the task up to five times while a registry is away. One that wants to be left alone is left so, for ten minutes in all,
 * which counts as no try. What else the task throws is an answer, and thrown at once.
 */
export async function withBackoff<T>(
  task: () => Promise<T>,
  { backoff, onWait, signal }: Retry,
): Promise<T> {
  let tries = 0;
  let busyMs = 0;
  for (;;) {
    try {
      return await task();
    } catch (error) {
      if (!(error instanceof RegistryAwayError) || signal.aborted) throw error;
      const pauseMs = error instanceof RegistryBusyError ? error.pauseMs : 0;
      if (pauseMs === 0) tries += 1;
      const baseMs = pauseMs === 0 ? WAITS_MS[tries - 1] : 0;
      if (baseMs === undefined || busyMs >= MOST_BUSY_MS) throw error;
      const spread = 0.5 + backoff.random();
      // Not before the pause is over.
      const ms = Math.max(baseMs * spread, pauseMs * (1 + spread / 10));
      if (pauseMs > 0) busyMs += ms;
      const next = `try ${tries + 1} of ${WAITS_MS.length + 1} in ${(ms / 1000).toFixed(1)} s`;
      onWait(`${error.message}; ${next}`);
      await backoff.sleep(ms, signal);
    }
  }
}
