import type { Change, PlacedStarts } from "./change.ts";
import type { HeldImage, Images, Inventory, InventoryChange } from "./image-inventory.ts";
import type { ImagesSink } from "./images-sink.ts";
import type { Pins } from "./pin.ts";
import type { RuntimeRecord } from "./record.ts";
import type { ReplicaInfo } from "./replica-info.ts";

/** How long an inventory that was published first waits for its replica's announcement. */
export const UNANNOUNCED_INVENTORY_MS = 60_000;

/** How long an engine remembers which replicas announced themselves with it. */
export const ENGINE_MEMORY_MS = 7 * 24 * 60 * 60 * 1000;

/** A session is the caller's name for a runtime; it is unique for one owner only. */
export type SessionKey = { owner: string; sessionId: string };

/**
 * Who is there, and what was asked. Three kinds: memory (tests), a SQLite file (one process), Redis (many).
 * Every call ends within one second or throws ServiceError `unavailable` (`recordsOfReplica`, `records`,
 * `inventory`, `copyInventory` and `pins` read in parts of which each does); what such a call was to write may have been written. What is read is parsed, and an
 * entry that does not parse is treated as absent.
 */
export interface Registry {
  /**
   * Writes the replica's entry; it is gone when `ttlMs` pass without another call. Where another instance has the id,
   * nothing is written and that instance's entry is returned; with `replacing`, an instance of that name is replaced in
   * the same step. An expired entry, and one that names no instance, is no obstacle.
   */
  announce(
    replica: ReplicaInfo,
    ttlMs: number,
    replacing?: string,
  ): Promise<ReplicaInfo | undefined>;
  /** Takes the replica and its inventory away, if `instance` still has the id. */
  withdraw(replicaId: string, instance: string): Promise<void>;
  /** The replicas whose entries have not expired, by id. */
  replicas(): Promise<ReplicaInfo[]>;
  /** Ids that announced themselves with the engine within the last 7 days, those that are gone included, by id. */
  replicasOfEngine(engineId: string): Promise<string[]>;

  /**
   * The operator's wish that the replica gets no new starts. It stays until it is taken back, whatever the replica does.
   * That it is taken back is told (`onChange`) even where there was none.
   */
  setDraining(replicaId: string, draining: boolean): Promise<void>;
  /** The ids of which draining is wished, whether they are there or not. */
  drains(): Promise<ReadonlySet<string>>;

  /**
   * Says of images, by canonical reference, that no engine shall give them up. One that is pinned already stays as it is.
   * Returns how many are new. Throws ServiceError `conflict`, with nothing written, where there would be more than 100,000.
   */
  pin(pins: Pins): Promise<number>;
  /**
   * Pins again what was pinned before all was lost (`onChange`), but for what was unpinned since, however late it comes: the
   * last 100,000 of that are remembered. Returns how many are new: none where nothing gets lost. Throws as `pin` does.
   */
  restorePins(pins: Pins): Promise<number>;
  /** Takes that back. Returns how many were pinned. */
  unpin(images: readonly string[]): Promise<number>;
  /**
   * All that are pinned; read in parts, so that changes in the meantime may be in it or not. Throws ServiceError
   * `unavailable` after a loss, as `sessionHolder` does: that nothing is pinned would not be the truth.
   */
  pins(): Promise<Pins>;

  /**
   * Makes `replicaId` the one that the starts of the image go to, for `ttlMs`, unless another is that already. Returns
   * which one is. For the one that is, its time begins anew with `ttlMs`; another's is not prolonged. With `replacing`, a
   * holder of that id is replaced in the same step.
   */
  shareGroup(image: string, replicaId: string, ttlMs: number, replacing?: string): Promise<string>;
  /**
   * Makes `engineId` the one that pulls the image for all engines, for `ttlMs`, unless another is that already. Returns
   * which one is. For the one that is, its time begins anew.
   */
  leasePull(image: string, engineId: string, ttlMs: number): Promise<string>;
  /** Gives that back, if `engineId` is the one. */
  releasePull(image: string, engineId: string): Promise<void>;
  /**
   * Tells all, itself too, of starts that a gateway has placed since it told last, or that came to a replica past the gateways. What is agreed on their images, if
   * anything is, holds for `ttlMs` from now on.
   */
  tellStarts(by: string, starts: readonly PlacedStarts[], ttlMs: number): Promise<void>;

  /**
   * Gives the session to `runtimeId`, unless another runtime holds it. Returns the holder's id.
   * With `replacing`, a holder of that id is replaced in the same step.
   */
  claimSession(key: SessionKey, runtimeId: string, replacing?: string): Promise<string>;
  /**
   * The id of the runtime that holds the session. Throws ServiceError `unavailable` where all that was stored has been lost
   * since this process last looked, here or in `replicas` (Redis): "nobody" would not be the truth. Whichever call notices
   * the loss, `onChange` tells of it, once; calls that begin later answer from what was written since.
   */
  sessionHolder(key: SessionKey): Promise<string | undefined>;

  /**
   * Writes the record; with `ttlMs` it is forgotten after that time, and not live from now on (ended runtimes), and its
   * session is given back in the same step, if it still holds it. Where the stored one belongs to another replica nothing is
   * written, and that replica's id is returned; so is the replica's own where it would undo a stop.
   */
  putRecord(record: RuntimeRecord, ttlMs?: number): Promise<string | undefined>;
  /** Gives the record with its remaining time to another replica, and returns it; `undefined` if `from` does not have it. */
  takeOver(runtimeId: string, from: string, to: string): Promise<RuntimeRecord | undefined>;
  /** Forgets the record, if `replicaId` has it. */
  removeRecord(runtimeId: string, replicaId: string): Promise<void>;
  record(runtimeId: string): Promise<RuntimeRecord | undefined>;
  /** Those of these runtimes that are on record, whoever has them, by id. */
  records(runtimeIds: readonly string[]): Promise<Map<string, RuntimeRecord>>;
  /**
   * The replica's records. With `live`, those that were written without a time only: it costs nothing that many have ended
   * (default false).
   */
  recordsOfReplica(replicaId: string, options?: { live: boolean }): Promise<RuntimeRecord[]>;

  /**
   * Replaces the list of what the replica's engine holds. It waits up to a minute for the announcement of a replica that is
   * not there (yet), and lives as long as that.
   */
  publishInventory(replicaId: string, images: Images): Promise<void>;
  /** Changes the list; `false` when none is stored (it expired, the store is empty): then it has to be published whole. */
  changeInventory(replicaId: string, change: InventoryChange): Promise<boolean>;
  inventory(replicaId: string): Promise<Inventory | undefined>;
  /**
   * The same, given to `into` in parts, so that it need not be held twice, nor in an object for each image. Returns the
   * version. What `into` has at `undefined`, or when this throws, means nothing.
   */
  copyInventory(replicaId: string, into: ImagesSink): Promise<number | undefined>;
  /** What these replicas' lists say of one image, by replica; without those that do not have it. */
  heldBy(image: string, replicaIds: readonly string[]): Promise<Map<string, HeldImage>>;
  /** The versions of the lists of all replicas that are there: what `inventory` has to be asked for is what differs. */
  inventoryVersions(): Promise<Map<string, number>>;

  /**
   * Calls back after each change, in any process, no later than 1 s after, with what has changed. Nothing comes when an
   * entry expires. Returns the end of it.
   */
  onChange(listener: (change: Change) => void): () => void;

  close(): Promise<void>;
}
