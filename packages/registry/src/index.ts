export type { Change, PlacedStarts } from "./change.ts";
export type { HeldImage, Images, Inventory, InventoryChange } from "./image-inventory.ts";
export { createMemoryRegistry } from "./memory-registry.ts";
export { Desired, Observed, RuntimeEvent, RuntimeRecord, Verdict } from "./record.ts";
export type { RegistryLog } from "./redis-link.ts";
export { createRedisRegistry } from "./redis-registry.ts";
export type { Registry, SessionKey } from "./registry.ts";
export { ReplicaInfo } from "./replica-info.ts";
export { createSqliteRegistry } from "./sqlite-registry.ts";
