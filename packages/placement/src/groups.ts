/** What is known of an image's group when one more start of it comes. */
export type GroupHint = {
  /** Where the group goes; `undefined` when this is its first start. */
  replicaId: string | undefined;
  /** Where it went in a step before, if that may still be what the gateways have agreed on. */
  formerReplicaId: string | undefined;
  /** Until then, if no further start comes. In the time of the `now` that was given; 0 without a group. */
  expiresAtMs: number;
  /** Starts that are still to come, this one included, as far as is known. At least 1. */
  remaining: number;
  /** Starts of a group, as learnt. At least 1. */
  usualSize: number;
  /** Most runtimes of all replicas together, lately. */
  usualTotal: number;
  /** Share of the latest groups whose home had their image when they began. 0 to 1. */
  foundShare: number;
  /** Starts of the other groups that are still to come to that replica. */
  reserved: (replicaId: string) => number;
  /** The same of all replicas. */
  reservedTotal: number;
};

/** When something is asked or told. */
export type Moment = {
  /** Milliseconds of any clock that does not go back. */
  now: number;
  /** Runtimes of all replicas together, as far as they are known, without what is just being told. */
  totalLoad: number;
};

/** Keeps the starts of an image together: where each group goes, how large groups are, and how much there is at most. */
export interface Groups {
  hint(image: string, moment: Moment): GroupHint;
  /** Tells of a group that begins at this process, before it is placed: whether the image's home has it. */
  began(isFound: boolean): void;
  /** Tells of a start of this process; a group that is sent elsewhere goes there from now on. */
  started(image: string, replicaId: string, moment: Moment): void;
  /** Tells of starts that this process has not placed. Where the group goes stays as it is known, if it is. */
  heard(image: string, replicaId: string, count: number, moment: Moment): void;
  /** The replica has announced its load: the starts that were told of are in it. */
  announced(replicaId: string): void;
  /** Tells where another gateway sends an image from now on. */
  follow(image: string, replicaId: string, moment: Moment): void;
}

export type GroupsOptions = {
  /** A group ends when so long after its last start none has come. Default `GROUP_MS`. */
  windowMs?: number;
  /** Groups that are remembered at most, the latest ones. Default 10,000. */
  maxGroups?: number;
  /** The most load there was is forgotten after one to two times this. Default 1 h: longer than a training step. */
  memoryMs?: number;
};

/** Trainers that keep fewer rollouts in flight than a step has start one of a group every minute or so. */
export const GROUP_MS = 300_000;

/** So often others are told of starts: before replicas announce the load of these. */
export const TELL_MS = 50;

type Group = {
  replicaId: string;
  /** Starts that have come, wherever they came to. */
  seen: number;
  /** Starts of the whole group, as learnt when it began. */
  expected: number;
  toCome: number;
  expiresAtMs: number;
};

/** How much the latest group counts in the usual size. */
const LEARNING = 0.1;
/** The same for what groups find: it changes within a few training steps. */
const FOUND_LEARNING = 0.05;
const MOST_LEARNT = 128;
/** Where only this part is left of what ran, the step is over. */
const FEW = 1 / 8;

export function createGroups({
  windowMs = GROUP_MS,
  maxGroups = 10_000,
  memoryMs = 3_600_000,
}: GroupsOptions = {}): Groups {
  // In the order of their last starts, which is the one in which they end.
  const groups = new Map<string, Group>();
  /** Those that ended with a step, in the same order, until they would have ended by time. */
  const former = new Map<string, Group>();
  const reserved = new Map<string, number>();
  /** Starts that others told of, which came to the replica after its load was announced. */
  const unannounced = new Map<string, number>();
  const peak = createPeak(memoryMs);
  let reservedTotal = 0;
  let meanSeen: number | undefined;
  /** Of all groups until the first one ends: their starts, and the sum of the squares. */
  const first = { seen: 0, squares: 0 };
  let foundShare = 0;
  /** The most load that came on top of what the last step had left over, which may be told late. */
  let crowd = 0;
  let leftOver = 0;

  function reserve(replicaId: string, change: number): void {
    const sum = (reserved.get(replicaId) ?? 0) + change;
    if (sum > 0) reserved.set(replicaId, sum);
    else reserved.delete(replicaId);
    reservedTotal += change;
  }

  const comingTo = (replicaId: string): number =>
    (reserved.get(replicaId) ?? 0) + (unannounced.get(replicaId) ?? 0);

  function comingTotal(): number {
    let total = reservedTotal;
    for (const count of unannounced.values()) total += count;
    return total;
  }

  /** While nothing is learnt, of the group that a start belongs to on average. */
  function usualSize(): number {
    const size = meanSeen ?? Math.min(first.squares / first.seen, MOST_LEARNT);
    return Math.max(1, Math.round(size || 1));
  }

  function end(image: string, group: Group): void {
    groups.delete(image);
    reserve(group.replicaId, -group.toCome);
    if (group.seen === 0) return;
    // An image that is started again and again for hours is no group of hundreds.
    const seen = Math.min(group.seen, MOST_LEARNT);
    meanSeen = (meanSeen ?? seen) + LEARNING * (seen - (meanSeen ?? seen));
  }

  /** All end with the step: what is still expected of one that is over would take the room of the next. */
  function endOld({ now, totalLoad }: Moment): void {
    const isOver = totalLoad < FEW * crowd;
    if (isOver) {
      [crowd, leftOver] = [0, totalLoad];
      // A replica that has died announces no more.
      unannounced.clear();
    }
    crowd = Math.max(crowd, totalLoad - leftOver);
    for (const [image, group] of groups) {
      if (!isOver && now < group.expiresAtMs && groups.size <= maxGroups) break;
      if (isOver) former.set(image, group);
      end(image, group);
    }
    for (const [image, group] of former) {
      if (now < group.expiresAtMs && former.size <= maxGroups) break;
      former.delete(image);
    }
  }

  function put(image: string, replicaId: string, count: number, moment: Moment): void {
    endOld(moment);
    const before = groups.get(image);
    if (before) reserve(before.replicaId, -before.toCome);
    const expected = before?.expected ?? usualSize();
    const seen = (before?.seen ?? 0) + count;
    const toCome = Math.max(0, expected - seen);
    first.seen += count;
    first.squares += seen ** 2 - (seen - count) ** 2;
    groups.delete(image);
    former.delete(image);
    groups.set(image, { replicaId, seen, expected, toCome, expiresAtMs: moment.now + windowMs });
    reserve(replicaId, toCome);
  }

  return {
    hint(image, moment) {
      endOld(moment);
      const group = groups.get(image);
      const own = group?.toCome ?? 0;
      return {
        replicaId: group?.replicaId,
        formerReplicaId: group ? undefined : former.get(image)?.replicaId,
        expiresAtMs: group?.expiresAtMs ?? 0,
        remaining: group ? Math.max(1, own) : usualSize(),
        usualSize: usualSize(),
        usualTotal: peak.of(moment.now),
        foundShare,
        reserved: (id) => comingTo(id) - (id === group?.replicaId ? own : 0),
        reservedTotal: comingTotal() - own,
      };
    },
    began: (isFound) => void (foundShare += FOUND_LEARNING * (Number(isFound) - foundShare)),
    started(image, replicaId, moment) {
      put(image, replicaId, 1, moment);
      peak.see(moment.totalLoad + 1 + comingTotal(), moment.now);
    },
    heard(image, replicaId, count, moment) {
      put(image, groups.get(image)?.replicaId ?? replicaId, count, moment);
      unannounced.set(replicaId, (unannounced.get(replicaId) ?? 0) + count);
      peak.see(moment.totalLoad + comingTotal(), moment.now);
    },
    announced: (replicaId) => unannounced.delete(replicaId),
    follow: (image, replicaId, moment) => put(image, replicaId, 0, moment),
  };
}

/** The most that was seen in the last one to two times `memoryMs`. */
function createPeak(memoryMs: number) {
  let [period, before, latest] = [0, 0, 0];

  function turn(now: number): void {
    const current = Math.floor(now / memoryMs);
    if (current === period) return;
    before = current === period + 1 ? latest : 0;
    latest = 0;
    period = current;
  }

  return {
    see(value: number, now: number): void {
      turn(now);
      latest = Math.max(latest, value);
    },
    of(now: number): number {
      turn(now);
      return Math.max(before, latest);
    },
  };
}
