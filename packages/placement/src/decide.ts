import type { Member } from "./fleet.ts";
import { type Placing, Scene } from "./scene.ts";

export type Why =
  /** Its group goes there. */
  | "group"
  /** It has the image, it pulls it, or it is the home, and there is room. */
  | "image"
  | "pull"
  | "home"
  /** The home keeps its room for what it has: the one that is furthest below its share. */
  | "kept"
  /** The home has no room: the one that is furthest below its share, or else the first that has room at all. */
  | "room"
  /** Nobody has room; it is the least loaded. */
  | "least";

export type Decision = {
  why: Why;
  chosen: Member;
  /** Where the group would have gone, if that has no room or is gone. */
  left: string | undefined;
  scene: Scene;
};

/** Finds a replica, with the reason; `undefined` when there is none. */
export function decide(placing: Placing): Decision | undefined {
  const { fleet } = placing;
  const scene = new Scene(placing);
  const { replicaId } = scene.group;

  const known = replicaId === undefined ? undefined : fleet.member(replicaId);
  const together = known && scene.isMember(known) ? known : undefined;
  // The others of its group are counted where they are, so only this one start comes on top.
  if (together && together.load + 1 <= scene.limits(together).hard) {
    return { why: "group", chosen: together, left: undefined, scene };
  }
  const found = search(scene);
  return found && { ...found, left: replicaId, scene };
}

type Found = { why: Why; chosen: Member };

/** The best place for a group that comes anew. Most images are at home, and most others on a few that are known. */
function search(scene: Scene): Found | undefined {
  const { home } = scene;
  if (!home) return undefined;
  const isHomeOpen = scene.hasRoom(home);
  if (isHomeOpen && scene.holding(home) === "image") return { why: "image", chosen: home };
  const there = amongHolders(scene);
  if (there) return there;
  // Nobody has the image, so it costs no more elsewhere; what a home has to keep room for, and would come too late, does.
  const isKept = isHomeOpen && scene.keepsRoom(home);
  if (isHomeOpen && !isKept) return { why: "home", chosen: home };
  const calm = calmest(scene);
  if (isKept) return calm ? { why: "kept", chosen: calm } : { why: "home", chosen: home };
  const next = calm ?? scene.members.find((member) => scene.hasRoom(member));
  return next ? { why: "room", chosen: next } : { why: "least", chosen: leastLoaded(scene) };
}

/** The first in the ring's order that has the image and room, or else one that pulls it. */
function amongHolders(scene: Scene): Found | undefined {
  let pulling: Member | undefined;
  for (const member of scene.holders()) {
    const holding = scene.holding(member);
    if (holding === "nothing" || !scene.hasRoom(member)) continue;
    if (holding === "image") return { why: "image", chosen: member };
    pulling ??= member;
  }
  return pulling && { why: "pull", chosen: pulling };
}

/**
 * The one beside the home that is furthest below its share, if it stays within that: what went to one that is nearly full
 * would soon push the images away that are at home there.
 */
function calmest(scene: Scene): Member | undefined {
  let calm: Member | undefined;
  let least = 1;
  for (const member of scene.members.slice(1)) {
    const fullness = (scene.expectedLoad(member) + scene.group.remaining) / scene.mean(member);
    if (calm ? fullness >= least : fullness > least) continue;
    if (!scene.hasRoom(member)) continue;
    calm = member;
    least = fullness;
  }
  return calm;
}

function leastLoaded(scene: Scene): Member {
  const fullness = (member: Member): number => (scene.expectedLoad(member) + 1) / member.weight;
  return scene.members.reduce((least, member) =>
    fullness(member) < fullness(least) ? member : least,
  );
}
