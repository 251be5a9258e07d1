import { createRing } from "@remote-runtime/ring";
import type { Choice } from "./choose.ts";
import { type Placing, Scene } from "./scene.ts";

/**
 * The replica that all gateways come to without a word among them: by the ring, by what is held, and by the session alone.
 * Loads and groups, which each knows in its own way, have no say. For the time when a session could not be claimed.
 */
export function chooseAlone(
  { image, fleet, except }: Placing,
  sessionId: string,
): Choice | undefined {
  const { members } = new Scene({ image, fleet, except });
  const holders = members.filter(({ id }) => fleet.holding(id, image) === "image");
  const [holder] = createRing(holders).order(sessionId);
  if (holder !== undefined) return { kind: "cached", replicaId: holder };
  const [next] = members;
  if (next === undefined) return undefined;
  return { kind: next === fleet.home(image) ? "home" : "spill", replicaId: next.id };
}
