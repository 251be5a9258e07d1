import { ServiceError } from "@remote-runtime/protocol";
import type { Clock } from "./clock.ts";
import { isPassing } from "./judge.ts";

const AGAIN_MS = 100;

/** Tries again, ten times a second for `patienceMs` at most, what fails because its other side does not answer. */
export async function patiently<T>(
  work: () => Promise<T>,
  { patienceMs, clock }: { patienceMs: number; clock: Clock },
): Promise<T> {
  const { signal } = new AbortController();
  const until = clock.now() + patienceMs;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!isPassing(ServiceError.from(error)) || clock.now() + AGAIN_MS > until) throw error;
    }
    await clock.sleep(AGAIN_MS, signal);
  }
}
