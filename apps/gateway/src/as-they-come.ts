/**
 * What `work` makes of each item, in the order in which it comes. No more than `width` are under way, or done and not yet
 * taken, and nothing more is begun until a result is asked for. `work` has a deadline of its own, and never rejects.
 */
export async function* asTheyCome<T, R>(
  items: readonly T[],
  width: number,
  work: (item: T) => Promise<R>,
): AsyncGenerator<R> {
  const underWay = new Map<number, Promise<{ place: number; result: R }>>();
  const left = items.entries();
  for (;;) {
    while (underWay.size < width) {
      const next = left.next();
      if (next.done) break;
      const [place, item] = next.value;
      const doing = work(item).then((result) => ({ place, result }));
      underWay.set(place, doing);
    }
    if (underWay.size === 0) return;
    const { place, result } = await Promise.race(underWay.values());
    underWay.delete(place);
    yield result;
  }
}
