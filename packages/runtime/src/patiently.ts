import { ServiceError } from "@remote-runtime/protocol";
import { isRefused } from "@remote-runtime/registry";
import type { Clock } from "./clock.ts";
import { isPassing } from "./judge.ts";

const AGAIN_MS = 100;

/**
 * Tries again, ten times a second, what fails because the registry does not answer: for `patienceMs` from the first failure
 * on, as a process that stood still in the middle of it fails for that alone.
 */
export async function patiently<T>(
  work: () => Promise<T>,
  { patienceMs, clock }: { patienceMs: number; clock: Clock },
): Promise<T> {
  const { signal } = new AbortController();
  let until: number | undefined;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      until ??= clock.now() + patienceMs;
      const isSilence = isPassing(ServiceError.from(error)) && !isRefused(error);
      if (!isSilence || clock.now() + AGAIN_MS > until) throw error;
    }
    await clock.sleep(AGAIN_MS, signal);
  }
}
