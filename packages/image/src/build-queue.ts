import { ServiceError } from "@remote-runtime/protocol";

/** Decides whose build is next: so many at once, fair between owners, first come first served within one. */
export interface BuildQueue {
  /** Throws `too_many_requests` when no more may wait. */
  assertRoom(): void;
  /** Runs the job when it is its turn. A job does not throw. Throws `too_many_requests` when no more may wait. */
  add(owner: string, job: () => Promise<void>): void;
}

export function createBuildQueue({
  maxRunning,
  maxWaiting,
}: {
  /** Asked at each turn. */
  maxRunning: () => number;
  maxWaiting: number;
}): BuildQueue {
  const waiting = new Map<string, (() => Promise<void>)[]>();
  const running = new Map<string, number>();
  /** Numbers the turns; owners are the names of keys, which are few. */
  const lastTurn = new Map<string, number>();
  let turns = 0;
  let waitingCount = 0;
  let runningCount = 0;

  function assertRoom(): void {
    if (waitingCount < maxWaiting) return;
    throw new ServiceError(
      "too_many_requests",
      `${waitingCount} builds wait here already, and no more than ${maxWaiting} may; send it again in a while`,
    );
  }

  /** Of those with the fewest running, the one whose last turn is longest ago. */
  function nextOwner(): string | undefined {
    const claim = (owner: string): [number, number] => [
      running.get(owner) ?? 0,
      lastTurn.get(owner) ?? 0,
    ];
    return [...waiting.keys()].toSorted((one, other) => {
      const [running1, turn1] = claim(one);
      const [running2, turn2] = claim(other);
      return running1 - running2 || turn1 - turn2;
    })[0];
  }

  function fill(): void {
    while (runningCount < maxRunning()) {
      const owner = nextOwner();
      const line = owner === undefined ? undefined : waiting.get(owner);
      const job = line?.shift();
      if (owner === undefined || line === undefined || job === undefined) return;
      if (line.length === 0) waiting.delete(owner);
      turns += 1;
      lastTurn.set(owner, turns);
      waitingCount -= 1;
      void run(owner, job);
    }
  }

  async function run(owner: string, job: () => Promise<void>): Promise<void> {
    runningCount += 1;
    running.set(owner, (running.get(owner) ?? 0) + 1);
    try {
      await job();
    } finally {
      runningCount -= 1;
      const left = (running.get(owner) ?? 1) - 1;
      if (left > 0) running.set(owner, left);
      else running.delete(owner);
      fill();
    }
  }

  return {
    assertRoom,
    add(owner, job) {
      assertRoom();
      waiting.set(owner, [...(waiting.get(owner) ?? []), job]);
      waitingCount += 1;
      fill();
    },
  };
}
