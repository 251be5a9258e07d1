/** What happens later, earliest first; what is due at the same time in the order in which it was put. */
export interface Agenda {
  /** Seconds; not before `now`. */
  put(at: number, happen: () => void): void;
  /** The same for what goes on beside: nobody waits for it. */
  putAside(at: number, happen: () => void): void;
  /** Lets everything happen that was put, also meanwhile, and what was put aside for a time before the last of it. */
  run(): void;
  now(): number;
}

type Entry = { at: number; turn: number; happen: () => void; isAside: boolean };

const isBefore = (a: Entry, b: Entry): boolean => a.at < b.at || (a.at === b.at && a.turn < b.turn);

/** A clock that jumps from one event to the next. */
export function createAgenda(): Agenda {
  // A binary heap: no entry comes before the one at half its index.
  const heap: Entry[] = [];
  let now = 0;
  let turn = 0;
  let waiting = 0;

  function rise(entry: Entry): void {
    let at = heap.length;
    for (;;) {
      const parentAt = (at - 1) >> 1;
      const parent = heap[parentAt];
      if (at === 0 || !parent || isBefore(parent, entry)) break;
      heap[at] = parent;
      at = parentAt;
    }
    heap[at] = entry;
  }

  function sink(entry: Entry): void {
    let at = 0;
    for (;;) {
      const left = heap[2 * at + 1];
      const right = heap[2 * at + 2];
      const isRight = left !== undefined && right !== undefined && isBefore(right, left);
      const child = isRight ? right : left;
      if (!child || isBefore(entry, child)) break;
      heap[at] = child;
      at = 2 * at + (isRight ? 2 : 1);
    }
    heap[at] = entry;
  }

  function take(): Entry | undefined {
    const first = heap[0];
    const last = heap.pop();
    if (last && heap.length > 0) sink(last);
    return first;
  }

  return {
    now: () => now,
    put(at, happen) {
      waiting += 1;
      rise({ at, turn: turn++, happen, isAside: false });
    },
    putAside: (at, happen) => rise({ at, turn: turn++, happen, isAside: true }),
    run() {
      while (waiting > 0) {
        const next = take();
        if (!next) return;
        if (!next.isAside) waiting -= 1;
        now = next.at;
        next.happen();
      }
    },
  };
}
