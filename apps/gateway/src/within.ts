import type { Clock } from "@remote-runtime/runtime";

/** The first of them; `undefined` when none comes within so many milliseconds. */
export async function within<T>(
  ms: number,
  comers: Iterable<Promise<T>>,
  clock: Pick<Clock, "sleep">,
): Promise<T | undefined> {
  const ending = new AbortController();
  const late = clock.sleep(ms, ending.signal).then(
    () => undefined,
    () => undefined,
  );
  try {
    return await Promise.race([...comers, late]);
  } finally {
    ending.abort();
  }
}
