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

/**
 * What a choice is made from. Each number is worked out when it is asked for: most choices look at one replica only. A class,
 * as one is made for each question: closures would be most of what that costs.
 */
export class Scene {
  /** The first of the members. */
  readonly home: Member | undefined;
  readonly group: GroupHint;
  readonly #image: string;
  readonly #fleet: Fleet;
  readonly #bounds: Bounds;
  readonly #count: number;
  readonly #weight: number;
  readonly #total: number;
  readonly #most: number;
  /** Most choices need no order of all. */
  #members: readonly Member[] | undefined;

  constructor({ image, fleet, group = NO_GROUP, except, bounds = DEFAULT_BOUNDS }: Placing) {
    this.#members = except?.size ? openBeside(except, fleet.order(image)) : undefined;
    const { count, load, weight } = this.#members ? sumOf(this.#members) : fleet.openSum();
    this.home = this.#members ? this.#members[0] : fleet.home(image);
    this.group = group;
    this.#image = image;
    this.#fleet = fleet;
    this.#bounds = bounds;
    this.#count = count;
    this.#weight = weight;
    this.#total = load + group.reservedTotal + group.remaining;
    // At the beginning of a step there is little yet: what there usually is says how much a replica will have to take.
    this.#most = Math.max(this.#total, group.usualTotal);
  }

  /** Those that may be taken, home first. Without the draining ones the next in the ring's order becomes the home. */
  get members(): readonly Member[] {
    return (this.#members ??= this.#fleet.open(this.#image));
  }

  isMember(member: Member): boolean {
    return this.#members ? this.#members.includes(member) : this.#fleet.isOpen(member);
  }

  holding({ id }: Member): Holding {
    return this.#fleet.holding(id, this.#image);
  }

  /** In the ring's order. Nobody else holds or pulls the image, and maybe not all of these do. */
  holders(): readonly Member[] {
    const ids = this.#fleet.holders(this.#image);
    if (!ids) return this.members;
    if (ids.size > 1) return this.members.filter(({ id }) => ids.has(id));
    const [id = ""] = ids;
    const only = this.#fleet.member(id);
    return only && this.isMember(only) ? [only] : [];
  }

  /** What it has, and the starts of other groups that are expected there. */
  expectedLoad({ load, id }: Member): number {
    return load + this.group.reserved(id);
  }

  /** Its share, by weight, of what there usually is. */
  mean({ weight }: Member): number {
    return (this.#most * weight) / this.#weight;
  }

  limits(member: Member): Limits {
    return limitsOf({
      mean: this.mean(member),
      freeShare: this.freeShare(member),
      groupSize: this.group.usualSize,
      bounds: this.#bounds,
    });
  }

  /** Starts that may come to it before it is at its soft limit. */
  room(member: Member): number {
    const { soft } = this.limits(member);
    return soft + toleranceOf(this.group.usualSize) - this.expectedLoad(member);
  }

  hasRoom(member: Member): boolean {
    return this.group.remaining <= this.room(member);
  }

  /** Whether the group, whose image nobody has, would take a place there that what it has most likely comes for yet. */
  keepsRoom(member: Member): boolean {
    const { usualSize, foundShare } = this.group;
    if (foundShare === 0) return false;
    const least = Math.floor(this.room(member) / usualSize);
    const probability = member.weight / this.#weight;
    const count = (this.#most - this.#total) / usualSize;
    const lost = atLeast({ least, count, probability: probability * foundShare });
    if (lost === 0) return false;
    // Where as many come anyway, one of them would have had to leave in its stead.
    const isForNothing = 1 - atLeast({ least, count, probability });
    return lost > PULLS_FOR_LEAVING * isForNothing;
  }

  /** Its share, by weight, of FREE_RUNTIMES for each replica. */
  freeShare({ weight }: Member): number {
    return (FREE_RUNTIMES * this.#count * weight) / this.#weight;
  }
}

/** None that drains while another of them does not. */
function openBeside(except: ReadonlySet<string>, order: readonly Member[]): readonly Member[] {
  const open = order.filter(({ id }) => !except.has(id));
  const staying = open.filter(({ draining }) => !draining);
  return staying.length > 0 ? staying : open;
}

function sumOf(members: readonly Member[]): ReturnType<Fleet["openSum"]> {
  return {
    count: members.length,
    load: members.reduce((sum, member) => sum + member.load, 0),
    weight: members.reduce((sum, member) => sum + member.weight, 0),
  };
}
