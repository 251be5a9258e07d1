import { createFleet, shareEngines, type Fleet, type Holding } from "@remote-runtime/placement";
import type { Images, ReplicaInfo } from "@remote-runtime/registry";
import { createRing, type Ring } from "@remote-runtime/ring";

/** What a gateway knows of the replicas at one moment. */
export type Snapshot = {
  replicas: ReadonlyMap<string, ReplicaInfo>;
  byTag: ReadonlyMap<string, readonly ReplicaInfo[]>;
  /** Those that are pulling anything. */
  pullers: readonly ReplicaInfo[];
  /** What a replica's engine holds, as far as it is known at the time of the question. */
  images: (replicaId: string) => Images;
  ring: Ring;
  /** The same replicas, for placing a start. */
  fleet: Fleet;
};

export type SnapshotParts = {
  replicas: readonly ReplicaInfo[];
  images: Snapshot["images"];
  /** All that hold the image or are pulling it. */
  holders: (image: string) => readonly string[];
  /** What a replica has of an image, at the time of the question. */
  holding: (replicaId: string, image: string) => Holding;
  /** Starts sent to the replica that it may not have counted in its announcement. */
  uncounted: (replicaId: string) => number;
};

export const EMPTY_SNAPSHOT: Snapshot = snapshotOf({
  replicas: [],
  images: () => new Map(),
  holders: () => [],
  holding: () => "nothing",
  uncounted: () => 0,
});

/** The next snapshot. The ring is the last one's while it has the same members, as it remembers what it was asked. */
export function snapshotOf(
  { replicas, images, holders, holding, uncounted }: SnapshotParts,
  last?: Snapshot,
): Snapshot {
  const byId = new Map(replicas.map((replica) => [replica.id, replica]));
  const ring =
    last && hasSameMembers(replicas, last) ? last.ring : createRing(shareEngines(replicas));
  return {
    replicas: byId,
    byTag: Map.groupBy(replicas, ({ tag }) => tag),
    pullers: replicas.filter(({ pulling }) => pulling.length > 0),
    images,
    ring,
    fleet: createFleet({
      replicas: replicas.map((replica) => ({
        ...replica,
        load: replica.load + uncounted(replica.id),
      })),
      ring,
      holders,
      holding,
    }),
  };
}

function hasSameMembers(replicas: readonly ReplicaInfo[], last: Snapshot): boolean {
  if (replicas.length !== last.replicas.size) return false;
  return replicas.every(({ id, weight, engineId }) => {
    const before = last.replicas.get(id);
    return before?.weight === weight && before.engineId === engineId;
  });
}

/** The same snapshot with other words of one of its replicas, which change nothing but what it has to do. */
export function withLoad(snapshot: Snapshot, replica: ReplicaInfo, load: number): Snapshot {
  snapshot.fleet.setLoad(replica.id, load);
  const replicas = new Map(snapshot.replicas).set(replica.id, replica);
  const tagged = snapshot.byTag.get(replica.tag) ?? [];
  return {
    ...snapshot,
    replicas,
    byTag: new Map(snapshot.byTag).set(
      replica.tag,
      tagged.map((each) => (each.id === replica.id ? replica : each)),
    ),
    pullers: [...replicas.values()].filter(({ pulling }) => pulling.length > 0),
  };
}
