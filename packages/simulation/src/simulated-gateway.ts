import {
  choose,
  createFleet,
  createGroups,
  GROUP_MS,
  homeHas,
  type Fleet,
  type Moment,
} from "@remote-runtime/placement";
import { createRing } from "@remote-runtime/ring";
import type { RouterMember, Surroundings } from "./router.ts";

/** Starts of one image that a gateway has sent to a replica. */
export type ToldStarts = { image: string; replicaId: string; count: number };

/** The part of a gateway that places starts. */
export interface SimulatedGateway {
  /** With their loads, which it knows at once. */
  setMembers(members: readonly RouterMember[]): void;
  /** Answers where the start goes. */
  route(image: string): string;
  home(image: string): string | undefined;
  /** Starts that it has ever sent to the replica. */
  sent(replicaId: string): number;
  /** What the replica announced when it had been sent so many: those since come on top. */
  hearLoad(replicaId: string, load: number, sent: number): void;
  /** Another gateway's words. */
  hearPlace(image: string, replicaId: string): void;
  hearStarts(starts: ToldStarts): void;
  /** What it has placed since it was asked last. */
  news(): ToldStarts[];
}

export type SimulatedGatewayOptions = {
  surroundings: Surroundings;
  /** As `Registry.shareGroup`. */
  shareGroup: (image: string, replicaId: string, ttlMs: number, replacing?: string) => string;
};

export function createSimulatedGateway({
  surroundings,
  shareGroup,
}: SimulatedGatewayOptions): SimulatedGateway {
  const groups = createGroups();
  const sent = new Map<string, number>();
  const untold = new Map<string, ToldStarts>();
  let fleet = fleetOf([], surroundings);

  const sentTo = (replicaId: string): number => sent.get(replicaId) ?? 0;
  const moment = (): Moment => ({
    now: 1000 * surroundings.agenda.now(),
    totalLoad: fleet.totalLoad(),
  });

  function chosen(image: string): string {
    const choice = choose({ image, fleet, group: groups.hint(image, moment()) });
    if (!choice) throw new Error("a start came while there was no replica");
    return choice.replicaId;
  }

  /** Asks where the group goes if it does not know a place for it, and thinks again. */
  function agreed(image: string): string {
    const { replicaId, formerReplicaId } = groups.hint(image, moment());
    const first = chosen(image);
    if (first === replicaId) return first;
    if (replicaId === undefined) groups.began(homeHas(fleet, image));
    const place = shareGroup(image, first, GROUP_MS, replicaId ?? formerReplicaId);
    groups.follow(image, place, moment());
    return chosen(image);
  }

  function placed(image: string, replicaId: string): void {
    groups.started(image, replicaId, moment());
    fleet.setLoad(replicaId, (fleet.member(replicaId)?.load ?? 0) + 1);
    sent.set(replicaId, sentTo(replicaId) + 1);
    const key = `${image} ${replicaId}`;
    untold.set(key, { image, replicaId, count: (untold.get(key)?.count ?? 0) + 1 });
  }

  return {
    setMembers: (members) => (fleet = fleetOf(members, surroundings)),
    route(image) {
      const replicaId = agreed(image);
      placed(image, replicaId);
      return replicaId;
    },
    home: (image) => fleet.order(image)[0]?.id,
    sent: sentTo,
    hearLoad(replicaId, load, sentThen) {
      fleet.setLoad(replicaId, load + sentTo(replicaId) - sentThen);
      groups.announced(replicaId);
    },
    hearPlace: (image, replicaId) => groups.follow(image, replicaId, moment()),
    hearStarts: ({ image, replicaId, count }) => groups.heard(image, replicaId, count, moment()),
    news() {
      const news = [...untold.values()];
      untold.clear();
      return news;
    },
  };
}

function fleetOf(members: readonly RouterMember[], { load, holding }: Surroundings): Fleet {
  const replicas = members.map(({ id, weight }) => {
    return { id, weight, load: load(id), draining: false, engineId: id };
  });
  return createFleet({ replicas, ring: createRing(members), holding });
}
