import { shareEngines } from "@remote-runtime/placement";
import type { ReplicaInfo } from "@remote-runtime/registry";
import { createRing } from "@remote-runtime/ring";

export interface Homes {
  /** Called at each heartbeat that finds the registry, with all that are announced. */
  see(announced: readonly ReplicaInfo[]): void;
  /** Whether starts of the image come to this engine, by its canonical reference. Before anybody is seen they all do. */
  isHomed(image: string): boolean;
  /** Whether the replica is on this engine. */
  isHere(replicaId: string): boolean;
  /** Whether this replica is the first of its engine: what one of them does for all is its to do. */
  leads(): boolean;
}

/** Which images belong on this engine, by the ring that gateways have too. */
export function createHomes({
  replicaId,
  engineId,
}: {
  replicaId: string;
  engineId: string;
}): Homes {
  let neighbours: ReadonlySet<string> = new Set([replicaId]);
  let staying: ReadonlySet<string> = neighbours;
  let ring = createRing([{ id: replicaId, weight: 1 }]);
  let members = "";

  return {
    see(announced) {
      const ofEngine = announced.filter((replica) => replica.engineId === engineId);
      neighbours = new Set([replicaId, ...ofEngine.map(({ id }) => id)]);
      staying = new Set(announced.filter(({ draining }) => !draining).map(({ id }) => id));
      const shared = shareEngines(announced).map(({ id, weight }) => ({ id, weight }));
      const text = JSON.stringify(shared);
      // It remembers what it was asked.
      if (text !== members) ring = createRing(shared);
      members = text;
    },
    isHomed(image) {
      const order = ring.order(image);
      const home = order.find((id) => staying.has(id)) ?? order[0];
      return home === undefined || neighbours.has(home);
    },
    isHere: (id) => neighbours.has(id),
    leads: () => [...neighbours].toSorted()[0] === replicaId,
  };
}
