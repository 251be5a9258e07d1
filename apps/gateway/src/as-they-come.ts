import type { Clock } from "@remote-runtime/runtime";
import { within } from "./within.ts";

export type Pace = {
  /** So many are under way, or done and not yet taken, at a time. */
  width: number;
  /** After so many milliseconds with no result as many again are begun: what hangs is not to hold up the others. */
  patienceMs: number;
  clock: Pick<Clock, "sleep">;
};

/**
 * What `work` makes of each item, in the order in which it comes; nothing more is begun until a result is asked for. `work`
 * has a deadline of its own, and never rejects.
 */
export async function* asTheyCome<T, R>(
  items: readonly T[],
  work: (item: T) => Promise<R>,
  { width, patienceMs, clock }: Pace,
): AsyncGenerator<R> {
  const underWay = new Map<number, Promise<{ place: number; result: R }>>();
  const left = items.entries();
  let room = width;
  for (;;) {
    while (underWay.size < room) {
      const next = left.next();
      if (next.done) break;
      const [place, item] = next.value;
      const doing = work(item).then((result) => ({ place, result }));
      underWay.set(place, doing);
    }
    if (underWay.size === 0) return;
    const first = await within(patienceMs, underWay.values(), clock);
    if (first) {
      underWay.delete(first.place);
      yield first.result;
    } else room += width;
  }
}
