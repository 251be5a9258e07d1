import { type Decision, decide } from "./decide.ts";
import type { Placing } from "./scene.ts";

/** Why a replica was chosen: it has the session (who knows that need not choose), has the image, pulls it, is its home, or is none of these. */
export type ChoiceKind = "held" | "cached" | "pulling" | "home" | "spill";

export type Choice = {
  kind: ChoiceKind;
  replicaId: string;
};

/**
 * The replica that a start goes to; `undefined` when there is none. A group stays together
 * until its replica is at the hard limit. Else it is the first replica in the ring's order that has room for the group and
 * has the image, then one that is pulling it, then the home, then the one that is furthest below its share, then the next
 * with room; when nobody has room, the least loaded. A draining replica is taken only while all others drain too. The same arguments give the same choice anywhere.
 */
export function choose(placing: Placing): Choice | undefined {
  const decision = decide(placing);
  return decision && { kind: kindOf(decision), replicaId: decision.chosen.id };
}

/** What the choice comes to: a group may go together to a replica that has the image, is its home, or neither. */
export function kindOf({ chosen, scene }: Decision): ChoiceKind {
  const holding = scene.holding(chosen);
  if (holding === "image") return "cached";
  if (holding === "pull") return "pulling";
  return chosen === scene.home ? "home" : "spill";
}
