import { RegistryAwayError } from "./registry-away-error.ts";

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

/** Runs the task up to five times while a registry is away. What else it throws is an answer, and thrown at once. */
export async function withBackoff<T>(
  task: () => Promise<T>,
  { backoff, onWait, signal }: Retry,
): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await task();
    } catch (error) {
      const baseMs = WAITS_MS[tries - 1];
      if (!(error instanceof RegistryAwayError) || baseMs === undefined || signal.aborted) {
        throw error;
      }
      const ms = baseMs * (0.5 + backoff.random());
      const next = `try ${tries + 1} of ${WAITS_MS.length + 1} in ${(ms / 1000).toFixed(1)} s`;
      onWait(`${error.message}; ${next}`);
      await backoff.sleep(ms, signal);
    }
  }
}
