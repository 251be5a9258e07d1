import type { InventoryChange } from "./image-inventory.ts";
import type { ReplicaInfo } from "./replica-info.ts";

/** Starts of one image that were sent to one replica. */
export type PlacedStarts = { image: string; replicaId: string; count: number };

/** What `Registry.onChange` tells of. */
export type Change =
  /** It was announced, or says something else of itself. */
  | { kind: "replica"; replica: ReplicaInfo }
  /** It was withdrawn. */
  | { kind: "left"; replicaId: string }
  /**
   * `change` leads from the version before this one to this one; `undefined` where there was none, or it is large: then
   * `inventory` tells, as for a listener that has another version.
   */
  | { kind: "inventory"; replicaId: string; version: number; change: InventoryChange | undefined }
  /** The starts of the image go to that replica now. */
  | { kind: "group"; image: string; replicaId: string }
  /** A gateway has placed these since it told last, or they came to a replica by themselves. */
  | { kind: "starts"; by: string; starts: readonly PlacedStarts[] }
  /** The operator's wish has changed, or it was said once more that there is none. */
  | { kind: "drain"; replicaId: string; draining: boolean }
  /** Images were pinned or unpinned: `pins` tells which there are. */
  | { kind: "pins" }
  /** All that was known is gone; what is there now was written since. Only a process that had known it tells of this. */
  | { kind: "lost" }
  /** Anything may have changed: there was no connection for a time, or another version says something. */
  | { kind: "unknown" };
