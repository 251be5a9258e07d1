import { atLeast } from "./at-least.ts";
import type { Fleet, Holding, Member } from "./fleet.ts";
import type { GroupHint } from "./groups.ts";
import {
  type Bounds,
  DEFAULT_BOUNDS,
  FREE_RUNTIMES,
  type Limits,
  limitsOf,
  toleranceOf,
} from "./limits.ts";

export type Placing = {
  /** Canonical reference. */
  image: string;
  fleet: Fleet;
  /** Default: a start on its own, of which nothing is known. */
  group?: GroupHint | undefined;
  /** Replicas that are not to be taken, as if they were not there. Default none. */
  except?: ReadonlySet<string> | undefined;
  /** Default 1.25 and 1.5. */
  bounds?: Bounds | undefined;
};

/** What a choice is made from. Each number is worked out when it is asked for: most choices look at one replica only. */
export interface Scene {
  /** Those that may be taken, home first. Without the draining ones the next in the ring's order becomes the home. */
  readonly members: readonly Member[];
  readonly group: GroupHint;
  holding(member: Member): Holding;
  /** Nobody else holds or pulls the image. `undefined`: it may be any. */
  holders(): ReadonlySet<string> | undefined;
  /** What it has, and the starts of other groups that are expected there. */
  expectedLoad(member: Member): number;
  /** Its share, by weight, of what there usually is. */
  mean(member: Member): number;
  limits(member: Member): Limits;
  /** Starts that may come to it before it is at its soft limit. */
  room(member: Member): number;
  /** Whether the group, whose image nobody has, would take a place there that what it has most likely comes for yet. */
  keepsRoom(member: Member): boolean;
  /** Its share, by weight, of FREE_RUNTIMES for each replica. */
  freeShare(member: Member): number;
}

/** An image that is pulled again is as bad as two groups that leave their home for nothing. */
const PULLS_FOR_LEAVING = 0.5;

const NO_GROUP: GroupHint = {
  replicaId: undefined,
  formerReplicaId: undefined,
  expiresAtMs: 0,
  remaining: 1,
  usualSize: 1,
  usualTotal: 0,
  foundShare: 0,
  reserved: () => 0,
  reservedTotal: 0,
};

export function sceneOf(placing: Placing): Scene {
  const { image, fleet, group = NO_GROUP, bounds = DEFAULT_BOUNDS } = placing;
  const { members, load, weight } = openTo(placing);
  const total = load + group.reservedTotal + group.remaining;
  // At the beginning of a step there is little yet: what there usually is says how much a replica will have to take.
  const most = Math.max(total, group.usualTotal);
  const mean = (member: Member): number => (most * member.weight) / weight;
  const expectedLoad = (member: Member): number => member.load + group.reserved(member.id);
  const freeShare = (member: Member): number =>
    (FREE_RUNTIMES * members.length * member.weight) / weight;
  const limits = (member: Member): Limits =>
    limitsOf({
      mean: mean(member),
      freeShare: freeShare(member),
      groupSize: group.usualSize,
      bounds,
    });
  const room = (member: Member): number =>
    limits(member).soft + toleranceOf(group.usualSize) - expectedLoad(member);

  return {
    members,
    group,
    holding: ({ id }) => fleet.holding(id, image),
    holders: () => fleet.holders(image),
    expectedLoad,
    mean,
    freeShare,
    limits,
    room,
    keepsRoom(member) {
      const { usualSize, foundShare } = group;
      if (foundShare === 0) return false;
      const least = Math.floor(room(member) / usualSize);
      const probability = member.weight / weight;
      const count = (most - total) / usualSize;
      const lost = atLeast({ least, count, probability: probability * foundShare });
      if (lost === 0) return false;
      // Where as many come anyway, one of them would have had to leave in its stead.
      const isForNothing = 1 - atLeast({ least, count, probability });
      return lost > PULLS_FOR_LEAVING * isForNothing;
    },
  };
}

/** The replicas that may be taken, home first, with their load and weight: none that drains while another of them does not. */
export function openTo({
  image,
  fleet,
  except,
}: Pick<Placing, "image" | "fleet" | "except">): ReturnType<Fleet["candidates"]> {
  if (!except?.size) return fleet.candidates(image);
  const open = fleet.order(image).filter(({ id }) => !except.has(id));
  const staying = open.filter(({ draining }) => !draining);
  const members = staying.length > 0 ? staying : open;
  return {
    members,
    load: members.reduce((sum, member) => sum + member.load, 0),
    weight: members.reduce((sum, member) => sum + member.weight, 0),
  };
}
