import { createRandom } from "./random.ts";
import type { Policy } from "./scenario.ts";
import { createGroupedRouter } from "./grouped-router.ts";
import { remainderOf } from "./remainder.ts";
import { createRing } from "@remote-runtime/ring";
import type { Router, RouterMember, Surroundings } from "./router.ts";

const CHOICES = 4;

export function createRouter(policy: Policy, surroundings: Surroundings): Router {
  switch (policy) {
    case "grouped":
      return createGroupedRouter(surroundings);
    case "ring":
      return createHomeRouter((members) => {
        const ring = createRing(members);
        return (image) => ring.order(image)[0];
      });
    case "modulo":
      return createHomeRouter((members) => {
        const ids = members.map(({ id }) => id).toSorted();
        return (image) => ids[remainderOf(image, ids.length)];
      });
    case "least-loaded":
      return createStatelessRouter((members) => {
        const fullness = ({ id, weight }: RouterMember) => (surroundings.load(id) + 1) / weight;
        return members.reduce((least, each) => (fullness(each) < fullness(least) ? each : least))
          .id;
      });
    case "random": {
      const random = createRandom(surroundings.seed, CHOICES);
      return createStatelessRouter((members) => {
        let left = random.next() * members.reduce((sum, { weight }) => sum + weight, 0);
        return (members.find(({ weight }) => (left -= weight) < 0) ?? members.at(-1))?.id;
      });
    }
  }
}

/** Everything goes to its home, however full. */
function createHomeRouter(
  homesOf: (members: readonly RouterMember[]) => (image: string) => string | undefined,
): Router {
  let home: (image: string) => string | undefined = () => undefined;
  return {
    setMembers: (members) => (home = homesOf(members)),
    setLoad: () => undefined,
    route: (image) => known(home(image)),
    home: (image) => home(image),
  };
}

/** Images do not matter. */
function createStatelessRouter(
  pick: (members: readonly RouterMember[]) => string | undefined,
): Router {
  let members: readonly RouterMember[] = [];
  return {
    setMembers: (all) => (members = all),
    setLoad: () => undefined,
    route: () => known(pick(members)),
    home: () => undefined,
  };
}

function known(replicaId: string | undefined): string {
  if (replicaId === undefined) throw new Error("a start came while there was no replica");
  return replicaId;
}
