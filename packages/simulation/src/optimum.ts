import { createRing } from "@remote-runtime/ring";
import type { Comparison } from "./result.ts";
import type { RouterMember } from "./router.ts";
import type { Scenario } from "./scenario.ts";
import { workloadOf } from "./workload.ts";

/**
 * The least share of groups that have to leave their home so that no replica gets more whole groups than the bound times
 * its share; where no whole group ends there, the next one, as far as half as much again as its share allows. It knows a
 * step's groups beforehand and counts what is too much on each home: no placement with whole groups moves fewer.
 */
export function offHomeOptimum(
  scenario: Scenario,
  { soft = 1.25, hard = 1.5 } = {},
): Comparison["offHomeOptimum"] {
  const members = new Map(scenario.replicas.map(({ id, weight }) => [id, { id, weight }]));
  let homes = homesOf(scenario, [...members.values()]);
  let [groups, moved, step] = [0, 0, 0];
  const change = (kinds: readonly string[]): void => {
    const events = scenario.churn.filter((each) => each.step === step && kinds.includes(each.kind));
    for (const { kind, replicaId } of events) {
      if (kind === "join") members.set(replicaId, { id: replicaId, weight: scenario.meanWeight });
      else members.delete(replicaId);
    }
    if (events.length > 0) homes = homesOf(scenario, [...members.values()]);
  };

  for (const rollouts of workloadOf(scenario)) {
    change(["join", "leave"]);
    const images = [...new Set(rollouts.map(({ image }) => image))];
    const counts = Map.groupBy(images, (image) => homes[image] ?? "");
    const weight = [...members.values()].reduce((sum, member) => sum + member.weight, 0);
    for (const member of members.values()) {
      const mean = (images.length * member.weight) / weight;
      const most = Math.max(1, Math.min(Math.ceil(soft * mean), Math.floor(hard * mean)));
      moved += Math.max(0, (counts.get(member.id)?.length ?? 0) - most);
    }
    groups += images.length;
    change(["die"]);
    step += 1;
  }
  return { bound: soft, share: moved / groups };
}

function homesOf({ images }: Scenario, members: readonly RouterMember[]): (string | undefined)[] {
  const ring = createRing(members);
  return images.map((image) => ring.order(image)[0]);
}
