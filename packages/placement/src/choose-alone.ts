import { rendezvous } from "@remote-runtime/ring";
import type { Choice } from "./choose.ts";
import { openTo, type Placing } from "./scene.ts";

/**
 * The replica that all gateways come to without a word among them: by the ring, by what is held, and by the session alone.
 * Loads and groups, which each knows in its own way, have no say. For the time when a session could not be claimed.
 */
export function chooseAlone(
  { image, fleet, except }: Placing,
  sessionId: string,
): Choice | undefined {
  const ids = openTo({ image, fleet, except }).members.map(({ id }) => id);
  const holders = ids.filter((id) => fleet.holding(id, image) === "image");
  const holder = rendezvous(sessionId, holders);
  if (holder !== undefined) return { kind: "cached", replicaId: holder };
  const [next] = ids;
  if (next === undefined) return undefined;
  const [home] = fleet.candidates(image).members;
  return { kind: next === home?.id ? "home" : "spill", replicaId: next };
}
