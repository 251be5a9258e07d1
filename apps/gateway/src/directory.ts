import { tagOf } from "@remote-runtime/protocol";
import type { Holding } from "@remote-runtime/placement";
import type { Change, Registry, ReplicaInfo } from "@remote-runtime/registry";
import type { Clock, Log } from "@remote-runtime/runtime";
import { isSameButForLoad, laterOf } from "./announcement.ts";
import { createDrains } from "./drains.ts";
import { dropOldest } from "./drop-oldest.ts";
import { followRegistry } from "./follow-registry.ts";
import { createInventories } from "./inventories.ts";
import { createRecentStarts } from "./recent-starts.ts";
import { EMPTY_SNAPSHOT, snapshotOf, withLoad, type Snapshot } from "./snapshot.ts";

export interface Directory {
  /** The last one that the registry gave: with the registry away it stays in use. */
  snapshot(): Snapshot;
  /** The replicas that may have the runtime, likeliest first: one, but for a clash of tags. */
  replicasOf(runtimeId: string): readonly ReplicaInfo[];
  /** Keeps in mind where a runtime is, if its id does not tell. */
  remember(runtimeId: string, replicaId: string): void;
  /** Whether that was kept in mind. */
  remembers(runtimeId: string): boolean;
  /** The replicas that were there within the last day and are not any more, with what they last said. */
  absent(): readonly ReplicaInfo[];
  /**
   * Milliseconds since the registry first answered without that replica; 0 while it is there, or answers itself. One that
   * was never there counts from the first answer of the registry.
   */
  absentMs(replicaId: string): number;
  /**
   * False for some seconds after the start, and after the registry was away or lost a replica: replicas and sessions that
   * do exist may not have been announced again.
   */
  isSettled(): boolean;
  /** A start was sent to the replica, which will announce the load of it in a moment. */
  sent(replicaId: string): void;
  /** Whether the last question to the registry went unanswered, or none was answered yet. */
  isCutOff(): boolean;
  /** What the registry has been told is known here at once. */
  setDraining(replicaId: string, draining: boolean): void;
  /** Reads the registry once: the replicas, and of their images what comes within 3 s. The others come later. */
  refresh(): Promise<void>;
  /** Follows the registry until `signal` aborts. */
  run(signal: AbortSignal): Promise<void>;
}

/**
 * A registry that comes back empty is filled again within this time: until then the replicas that it lacks stay. Those that
 * have really gone are found out at the first call.
 */
const HOLD_MS = 5_000;
const SETTLE_MS = 10_000;
/** A list of thousands of images takes a slow registry seconds, and there are a hundred of them. */
const IMAGES_MS = 3_000;
const MOST_ABSENT = 1_000;
/** After so long a replica that is gone is not shown any more; what was lost with it stays lost. */
const SHOWN_ABSENT_MS = 24 * 60 * 60 * 1000;
const MOST_REMEMBERED = 10_000;

type Absence = { info: ReplicaInfo; since: number; heldUntil: number | undefined };

export type DirectoryOptions = {
  registry: Registry;
  clock: Clock;
  log: Log;
  /** Told what gateways decide and place. Default: nobody wants to know. */
  onGroup?: (change: Extract<Change, { kind: "group" | "starts" }>) => void;
  /** Told when the load of a replica is known anew. Default: nobody wants to know. */
  onLoad?: (replicaId: string) => void;
  /** Whether a replica answers, though the registry has it not any more. Default: none does. */
  answers?: (replica: ReplicaInfo) => Promise<boolean>;
  /** How long it is unsettled, in milliseconds. Default 10 s. */
  settleMs?: number;
};

/** The replicas and their images as the registry tells of them, through its absences. */
export function createDirectory({
  registry,
  clock,
  log,
  onGroup = () => undefined,
  onLoad = () => undefined,
  answers = async () => false,
  settleMs = SETTLE_MS,
}: DirectoryOptions): Directory {
  const inventories = createInventories(registry);
  const drains = createDrains(registry);
  const recentStarts = createRecentStarts(clock);
  let snapshot = EMPTY_SNAPSHOT;
  /** The replicas of the snapshot, in their own words. */
  let announced: readonly ReplicaInfo[] = [];
  /** Those that have said goodbye since the last look: they are not coming back with the registry. */
  const leavers = new Set<string>();
  const absences = new Map<string, Absence>();
  const homes = new Map<string, string>();
  let firstAnswerAt: number | undefined;
  let lastAnswerAt = 0;
  let settledAt = clock.now() + settleMs;
  let troubledUntil = 0;
  let away = false;
  let readingReplicas: Promise<void> | undefined;
  let readingImages: Promise<void> | undefined;
  /** Something was told while they were read, which that may have missed. */
  let hasMoreImages = false;

  async function read(): Promise<void> {
    try {
      const [replicas] = await Promise.all([registry.replicas(), drains.read()]);
      if (away) log.info({ replicas: replicas.length }, "the registry answers again");
      away = false;
      take(replicas, await answering(replicas));
    } catch (error) {
      if (!away)
        log.warn({ err: error }, "the registry does not answer; going on with what was last known");
      away = true;
      troubledUntil = clock.now() + SETTLE_MS;
      unsettle();
    }
  }

  /** A registry that takes no writes loses everybody, however well they are: those that answer are still there. */
  async function answering(replicas: readonly ReplicaInfo[]): Promise<ReadonlySet<string>> {
    const isDue = ({ id }: ReplicaInfo): boolean => {
      const { heldUntil = Number.POSITIVE_INFINITY } = absences.get(id) ?? { heldUntil: 0 };
      return clock.now() >= heldUntil && !leavers.has(id);
    };
    const present = new Set(replicas.map(({ id }) => id));
    const missing = [...snapshot.replicas.values()].filter(({ id }) => !present.has(id));
    const asked = missing.filter(isDue);
    const alive = await Promise.all(asked.map(answers));
    return new Set(asked.filter((_, i) => alive[i]).map(({ id }) => id));
  }

  function take(replicas: readonly ReplicaInfo[], alive: ReadonlySet<string>): void {
    const now = clock.now();
    firstAnswerAt ??= now;
    lastAnswerAt = now;
    const present = new Set(replicas.map(({ id }) => id));
    for (const id of present) absences.delete(id);
    const gone = [...snapshot.replicas.values()].filter(
      ({ id }) => !present.has(id) && !absences.has(id),
    );
    // One replica falls silent; it is the registry that loses many, or those that answer.
    const silent = gone.filter(({ id }) => !leavers.has(id) && !alive.has(id));
    const areMany = silent.length > 1 && silent.length * 2 >= snapshot.replicas.size;
    const isLoss = now < troubledUntil || alive.size > 0 || areMany;
    for (const info of gone) {
      const isHeld = isLoss && !leavers.has(info.id);
      absences.set(info.id, { info, since: now, heldUntil: isHeld ? now + HOLD_MS : undefined });
      log.info({ replica: info.id }, "the registry has no such replica any more");
    }
    for (const id of alive) {
      const absence = absences.get(id);
      // It is not gone as long as it answers: its absence begins with the next question, if that finds nobody.
      if (absence) Object.assign(absence, { since: now + HOLD_MS, heldUntil: now + HOLD_MS });
    }
    leavers.clear();
    if (isLoss && gone.length > 0) unsettle();
    for (const [id, { since, heldUntil = 0 }] of absences)
      if (now >= Math.max(heldUntil, since + SHOWN_ABSENT_MS)) absences.delete(id);
    dropOldest(absences, MOST_ABSENT);
    const held = [...absences.values()].filter(({ heldUntil = now }) => now < heldUntil);
    const told = new Map(announced.map((replica) => [replica.id, replica]));
    const latest = replicas.map((replica) => laterOf(told.get(replica.id), replica));
    show([...latest, ...held.map(({ info }) => info)]);
    for (const id of present) onLoad(id);
  }

  const parts = {
    images: inventories.of,
    uncounted: recentStarts.of,
    holders(image: string): readonly string[] {
      const pullers = snapshot.pullers.filter(({ pulling }) => pulling.includes(image));
      return [...inventories.holders(image), ...pullers.map(({ id }) => id)];
    },
    holding(replicaId: string, image: string): Holding {
      if (inventories.of(replicaId).has(image)) return "image";
      return snapshot.replicas.get(replicaId)?.pulling.includes(image) ? "pull" : "nothing";
    },
  };

  const asWished = (replica: ReplicaInfo): ReplicaInfo =>
    drains.has(replica.id) ? { ...replica, draining: true } : replica;

  function show(replicas: readonly ReplicaInfo[]): void {
    announced = replicas;
    snapshot = snapshotOf({ ...parts, replicas: replicas.map(asWished) }, snapshot);
  }

  function setDraining(replicaId: string, draining: boolean): void {
    drains.told(replicaId, draining);
    show(announced);
  }

  /** Takes in what was told; says whether the registry has to be asked for more. */
  function hear(change: Change): "understood" | "look" {
    switch (change.kind) {
      case "replica": {
        const { replica } = change;
        const before = snapshot.replicas.get(replica.id);
        if (!before || absences.has(replica.id)) return "look";
        if (laterOf(before, replica) === before) return "understood";
        announced = announced.map((each) => (each.id === replica.id ? replica : each));
        recentStarts.announced(replica.id);
        onLoad(replica.id);
        const now = asWished(replica);
        if (!isSameButForLoad(before, now)) show(announced);
        else snapshot = withLoad(snapshot, now, now.load + recentStarts.of(now.id));
        return "understood";
      }
      case "left":
        leavers.add(change.replicaId);
        return "look";
      case "inventory":
        return inventories.apply(change) === "applied" ? "understood" : "look";
      case "group":
      case "starts":
        onGroup(change);
        return "understood";
      case "drain":
        setDraining(change.replicaId, change.draining);
        return "understood";
      case "pins":
        return "understood";
      case "lost":
        unsettle();
        return "look";
      case "unknown":
        return "look";
    }
  }

  function unsettle(): void {
    settledAt = clock.now() + settleMs;
  }

  const readReplicas = (): Promise<void> =>
    (readingReplicas ??= read().finally(() => (readingReplicas = undefined)));

  /** Takes seconds where there are many: who is there is not to wait for it. What fails is tried again in a second. */
  function readImages(): Promise<void> {
    hasMoreImages = readingImages !== undefined;
    return (readingImages ??= readAllImages().finally(() => (readingImages = undefined)));
  }

  async function readAllImages(): Promise<void> {
    do {
      hasMoreImages = false;
      await inventories.refresh(new Set(snapshot.replicas.keys())).catch(() => undefined);
    } while (hasMoreImages);
  }

  async function look(): Promise<void> {
    await readReplicas();
    void readImages();
  }

  return {
    snapshot: () => snapshot,
    replicasOf(runtimeId) {
      const tagged = snapshot.byTag.get(tagOf(runtimeId)) ?? [];
      const home = snapshot.replicas.get(homes.get(runtimeId) ?? "");
      return home ? [home, ...tagged.filter(({ id }) => id !== home.id)] : tagged;
    },
    remember(runtimeId, replicaId) {
      homes.delete(runtimeId);
      const tagged = snapshot.byTag.get(tagOf(runtimeId)) ?? [];
      if (tagged.length === 1 && tagged[0]?.id === replicaId) return;
      homes.set(runtimeId, replicaId);
      dropOldest(homes, MOST_REMEMBERED);
    },
    remembers: (runtimeId) => homes.has(runtimeId),
    absent: () => [...absences.values()].map(({ info }) => info),
    absentMs(replicaId) {
      // A replica that the registry's own absence hides is not gone longer for it.
      const now = away ? lastAnswerAt : clock.now();
      const absence = absences.get(replicaId);
      if (absence) return Math.max(0, now - absence.since);
      if (firstAnswerAt === undefined || snapshot.replicas.has(replicaId)) return 0;
      return now - firstAnswerAt;
    },
    isSettled: () => clock.now() >= settledAt,
    isCutOff: () => away || firstAnswerAt === undefined,
    sent(replicaId) {
      recentStarts.add(replicaId);
      const { fleet } = snapshot;
      fleet.setLoad(replicaId, (fleet.member(replicaId)?.load ?? 0) + 1);
    },
    setDraining,
    async refresh() {
      await readReplicas();
      const ending = new AbortController();
      // Rejects when it is aborted: then the images are there.
      const late = clock.sleep(IMAGES_MS, ending.signal).catch(() => undefined);
      await Promise.race([readImages(), late]).finally(() => ending.abort());
    },
    run: (signal) => followRegistry({ registry, clock, hear, look, signal }),
  };
}
