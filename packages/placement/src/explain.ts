import { chooseAlone } from "./choose-alone.ts";
import { type ChoiceKind, kindOf } from "./choose.ts";
import { type Decision, decide } from "./decide.ts";
import type { Holding, Member } from "./fleet.ts";
import { type Placing, Scene } from "./scene.ts";

export type Explanation = {
  kind: ChoiceKind;
  replicaId: string;
  /** One sentence for people. */
  reason: string;
  /** Those that could be taken, in the ring's order, home first. */
  candidates: readonly {
    replicaId: string;
    holds: Holding;
    load: number;
    softLimit: number;
    hardLimit: number;
  }[];
};

/** What `choose` answers, and why. */
export function explain(placing: Placing): Explanation | undefined {
  const decision = decide(placing);
  if (!decision) return undefined;
  return {
    kind: kindOf(decision),
    replicaId: decision.chosen.id,
    reason: `${capitalized(reasonOf(decision))}.`,
    candidates: candidatesOf(decision.scene),
  };
}

/** What `chooseAlone` answers for a nameless session, and why. */
export function explainAlone(placing: Placing): Explanation | undefined {
  const choice = chooseAlone(placing, "");
  if (!choice) return undefined;
  const candidates = candidatesOf(new Scene(placing));
  const holders = candidates.filter(({ holds }) => holds === "image");
  const ids = holders.map(({ replicaId }) => replicaId).join(", ");
  const { replicaId } = choice;
  const alone = "the registry is away, so that loads and groups have no say, and";
  const reasons = {
    none: `${alone} ${replicaId} is the image's home`,
    one: `${alone} ${replicaId} has the image`,
    many: `${alone} each session goes by its id to one of those that have the image: ${ids}`,
  };
  const count = holders.length === 0 ? "none" : holders.length === 1 ? "one" : "many";
  return { ...choice, reason: `${capitalized(reasons[count])}.`, candidates };
}

function candidatesOf(scene: Scene): Explanation["candidates"] {
  return scene.members.map((member) => ({
    replicaId: member.id,
    holds: scene.holding(member),
    load: member.load,
    softLimit: scene.limits(member).soft,
    hardLimit: scene.limits(member).hard,
  }));
}

function reasonOf({ why, chosen, left, scene }: Decision): string {
  const { id } = chosen;
  const starts = startsOf(scene.group.remaining);
  const room = `room for ${starts}: ${roomOf(chosen, scene)}`;
  const before = left === undefined ? "" : `${left}, where its group went, cannot take it; `;
  switch (why) {
    case "group":
      return `the starts of this image go together to ${id}: ${chosen.load} of at most ${rounded(scene.limits(chosen).hard)} runtimes`;
    case "image":
      return `${before}${id} has the image and ${room}`;
    case "pull":
      return `${before}${id} is pulling the image and has ${room}`;
    case "home":
      return `${before}${id} is the image's home and has ${room}`;
    case "kept":
      return `${before}nobody has the image and its home ${scene.home?.id} will be full, so that keeps its room for what it has, and ${id} has least to do: ${loadOf(chosen, scene)}`;
    case "room":
      return `${before}${scene.home?.id} is the image's home but has no room, and ${id} has ${room}`;
    case "least":
      return `${before}no replica has room for ${starts}, and ${id} has least to do: ${loadOf(chosen, scene)}`;
  }
}

function loadOf(member: Member, scene: Scene): string {
  const expected = scene.expectedLoad(member) - member.load;
  return expected > 0 ? `${member.load} and ${rounded(expected)} expected` : `${member.load}`;
}

function roomOf(chosen: Member, scene: Scene): string {
  const { soft } = scene.limits(chosen);
  const room = `${loadOf(chosen, scene)} of ${rounded(soft)} runtimes`;
  return soft > scene.freeShare(chosen)
    ? room
    : `${room}, so few that nothing is moved for balance`;
}

function startsOf(remaining: number): string {
  return remaining === 1 ? "one more" : `the ${remaining} starts that are expected`;
}

function rounded(value: number): number {
  return Math.round(value * 10) / 10;
}

/** Ids stay as they are. */
function capitalized(sentence: string): string {
  return sentence.replace(/^(the|no) /, (word) => word.charAt(0).toUpperCase() + word.slice(1));
}
