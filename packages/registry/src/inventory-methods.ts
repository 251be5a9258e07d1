import type { Registry } from "./registry.ts";

/** What a registry does with the images that engines hold. */
export type InventoryMethods = Pick<
  Registry,
  | "publishInventory"
  | "changeInventory"
  | "inventory"
  | "copyInventory"
  | "heldBy"
  | "inventoryVersions"
>;
