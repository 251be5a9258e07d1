export { chooseAlone } from "./choose-alone.ts";
export { choose, type Choice, type ChoiceKind } from "./choose.ts";
export type { Placing } from "./scene.ts";
export { shareEngines } from "./engine-share.ts";
export { explain, explainAlone, type Explanation } from "./explain.ts";
export { homeHas } from "./home-has.ts";
export {
  createFleet,
  type Fleet,
  type FleetOptions,
  type FleetReplica,
  type Holding,
} from "./fleet.ts";
export {
  createGroups,
  GROUP_MS,
  TELL_MS,
  type GroupHint,
  type Groups,
  type GroupsOptions,
  type Moment,
} from "./groups.ts";
export { type Bounds, DEFAULT_BOUNDS } from "./limits.ts";
export { evictionOrder, type Evictable } from "./eviction-order.ts";
