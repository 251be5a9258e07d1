import type { Ring } from "@remote-runtime/ring";
import { shareEngines } from "./engine-share.ts";

/** A replica as far as placing a runtime goes. */
export type FleetReplica = {
  id: string;
  /** Its engine's capacity, relative to the others. More than 0. */
  weight: number;
  /** Runtimes that hold compute there now, or wait for it. */
  load: number;
  draining: boolean;
  /** Replicas of one engine share its images and its capacity. */
  engineId: string;
};

/** What an engine has of an image: the image, a pull under way, or nothing. */
export type Holding = "image" | "pull" | "nothing";

/** A replica with its own part of its engine's capacity. */
export type Member = Readonly<FleetReplica>;

/** All replicas at one time. Loads may be set anew; anything else that changes needs a new fleet. */
export interface Fleet {
  /** All of them in the image's order of preference, its home first. */
  order(image: string): readonly Member[];
  /** The same without those that drain, unless all do. */
  open(image: string): readonly Member[];
  /** The first of these, which is quicker to find than all. */
  home(image: string): Member | undefined;
  isOpen(member: Member): boolean;
  /** How many are open, and what they have and are worth together. */
  openSum(): { count: number; load: number; weight: number };
  member(replicaId: string): Member | undefined;
  holding(replicaId: string, image: string): Holding;
  /** Those that may hold the image or pull it: nobody else does. `undefined`: it may be any. */
  holders(image: string): ReadonlySet<string> | undefined;
  /** What the replica is known to have since. An unknown id changes nothing. */
  setLoad(replicaId: string, load: number): void;
  totalLoad(): number;
}

export type FleetOptions = {
  replicas: readonly FleetReplica[];
  /** With the same members; those that it lacks come last. */
  ring: Ring;
  /** Of the one replica, its neighbours not counted. Asked at each choice, so it must be quick. */
  holding: (replicaId: string, image: string) => Holding;
  /**
   * Ids of all for which `holding` is not `nothing`, and maybe of others, so that not every one has to be asked. Default:
   * every one is asked.
   */
  holders?: ((image: string) => readonly string[]) | undefined;
};

/** Takes time in proportion to the number of replicas, whatever they hold. */
export function createFleet({ replicas, ring, holding, holders }: FleetOptions): Fleet {
  const members = new Map(shareEngines(replicas).map((replica) => [replica.id, replica]));
  const unordered = [...members.values()].toSorted((a, b) => (a.id < b.id ? -1 : 1));
  const neighbours = neighboursOf(unordered);
  const staying = unordered.filter(({ draining }) => !draining);
  const open = new Set<Member>(staying.length > 0 ? staying : unordered);
  const weight = [...open].reduce((sum, member) => sum + member.weight, 0);
  let openLoad = [...open].reduce((sum, member) => sum + member.load, 0);
  let totalLoad = unordered.reduce((sum, { load }) => sum + load, 0);

  /** A decision asks for the same order more than once. */
  let last: { image: string; order: readonly Member[] } | undefined;

  const byPlace = ring.ids.map((id) => members.get(id));
  const known = new Set(byPlace);
  const unranked = unordered.filter((member) => !known.has(member));

  function orderOf(image: string): readonly Member[] {
    if (last?.image !== image) last = { image, order: inOrder(ring.ranking(image)) };
    return last.order;
  }

  function inOrder(ranking: Uint16Array): readonly Member[] {
    // Of its full length at once: one that grows by each of them costs twice as much.
    const order = [...unordered];
    let count = 0;
    for (const place of ranking) {
      const member = byPlace[place];
      if (!member) continue;
      order[count] = member;
      count += 1;
    }
    for (const [at, member] of unranked.entries()) order[count + at] = member;
    return order;
  }

  function openOf(image: string): readonly Member[] {
    const order = orderOf(image);
    return open.size === unordered.length ? order : order.filter((member) => open.has(member));
  }

  function homeOf(image: string): Member | undefined {
    const home = byPlace[ring.home(image)];
    return home && open.has(home) ? home : openOf(image)[0];
  }

  return {
    order: orderOf,
    open: openOf,
    home: homeOf,
    isOpen: (member) => open.has(member),
    openSum: () => ({ count: open.size, load: openLoad, weight }),
    member: (replicaId) => members.get(replicaId),
    holding(replicaId, image) {
      const onEngine = neighbours.get(replicaId);
      if (onEngine === undefined) return holding(replicaId, image);
      const found = new Set(onEngine.map((id) => holding(id, image)));
      if (found.has("image")) return "image";
      return found.has("pull") ? "pull" : "nothing";
    },
    holders(image) {
      if (!holders) return undefined;
      const ids = holders(image);
      if (neighbours.size === 0) return new Set(ids);
      return new Set([...ids, ...ids.flatMap((id) => neighbours.get(id) ?? [])]);
    },
    setLoad(replicaId, load) {
      const member = members.get(replicaId);
      if (!member) return;
      totalLoad += load - member.load;
      if (open.has(member)) openLoad += load - member.load;
      member.load = load;
    },
    totalLoad: () => totalLoad,
  };
}

/** All replicas on its engine, for each one that is not alone there. */
function neighboursOf(members: readonly Member[]): Map<string, readonly string[]> {
  const byEngine = Map.groupBy(members, ({ engineId }) => engineId);
  return new Map(
    members.flatMap(({ id, engineId }) => {
      const onEngine = byEngine.get(engineId) ?? [];
      return onEngine.length > 1 ? [[id, onEngine.map((each) => each.id)]] : [];
    }),
  );
}
