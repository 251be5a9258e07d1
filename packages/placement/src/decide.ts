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
  const together = known && scene.members.includes(known) ? known : undefined;
  // The others of its group are counted where they are, so only this one start comes on top.
  if (together && together.load + 1 <= scene.limits(together).hard) {
    return { why: "group", chosen: together, left: undefined, scene };
  }
  const found = search(scene);
  return found && { ...found, left: replicaId, scene };
}

type Found = { why: Why; chosen: Member };

/** The best place for a group that comes anew, in one pass over the ring's order. */
function search(scene: Scene): Found | undefined {
  const { members, group } = scene;
  const [home] = members;
  let holders: ReadonlySet<string> | undefined;
  let pulling: Member | undefined;
  let first: Member | undefined;
  let calm: Member | undefined;
  let calmest = 1;
  for (const member of members) {
    // Most images are at home, and then it need not be known who else has them.
    if (member !== home) holders ??= scene.holders();
    const holding = holders?.has(member.id) === false ? "nothing" : scene.holding(member);
    const load = scene.expectedLoad(member) + group.remaining;
    const fullness = load / scene.mean(member);
    // What has nothing to offer but room is looked at only until there is enough of it.
    if (holding === "nothing" && first && fullness > calmest) continue;
    if (group.remaining > scene.room(member)) continue;
    if (holding === "image") return { why: "image", chosen: member };
    if (holding === "pull") pulling ??= member;
    first ??= member;
    // What goes to one that is nearly full would soon push the images away that are at home there.
    if (member !== home && (calm ? fullness < calmest : fullness <= 1)) {
      calm = member;
      calmest = fullness;
    }
  }
  if (pulling) return { why: "pull", chosen: pulling };
  if (first && first === home) {
    // Nobody has the image, so it costs no more elsewhere; what the home has, and would come too late, does.
    if (calm && scene.keepsRoom(home)) return { why: "kept", chosen: calm };
    return { why: "home", chosen: home };
  }
  const next = calm ?? first;
  if (next) return { why: "room", chosen: next };
  const least = leastLoaded(scene);
  return least && { why: "least", chosen: least };
}

function leastLoaded(scene: Scene): Member | undefined {
  const fullness = (member: Member): number => (scene.expectedLoad(member) + 1) / member.weight;
  let least = scene.members[0];
  for (const member of scene.members) {
    if (least && fullness(member) < fullness(least)) least = member;
  }
  return least;
}
