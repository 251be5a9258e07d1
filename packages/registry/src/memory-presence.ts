import type { ChangeListeners } from "./change-listeners.ts";
import type { Images, Inventory, InventoryChange } from "./image-inventory.ts";
import { heldImagesOf, imagesToText, parseImages } from "./images-text.ts";
import { instanceOf, rivalIn } from "./instance-of.ts";
import type { InventoryMethods } from "./inventory-methods.ts";
import { createMemoryEntries, type MemoryEntries } from "./memory-entries.ts";
import { changedImages, nextInventory, type NextInventory } from "./next-inventory.ts";
import { parseEntry } from "./parse-entry.ts";
import { ENGINE_MEMORY_MS, UNANNOUNCED_INVENTORY_MS, type Registry } from "./registry.ts";
import { ReplicaInfo } from "./replica-info.ts";

type Replicas = Pick<
  Registry,
  "announce" | "withdraw" | "replicas" | "replicasOfEngine" | "setDraining" | "drains"
>;
type Deps = {
  open: <T>(work: () => T) => Promise<T>;
  now: () => number;
  changes: ChangeListeners;
};

/** Replicas and what they hold, for the registry in memory. */
export function memoryPresence(deps: Deps): Replicas & InventoryMethods {
  const replicas = createMemoryEntries(deps.now);
  const inventories = createInventories(deps.now);
  return {
    ...replicaMethods(deps, replicas, inventories),
    ...inventoryMethods(deps, replicas, inventories),
  };
}

/** The version stands beside the text. */
type StoredInventories = MemoryEntries & { versions: Map<string, number> };

function createInventories(now: () => number): StoredInventories {
  return { ...createMemoryEntries(now), versions: new Map() };
}

function replicaMethods(deps: Deps, replicas: MemoryEntries, inventories: MemoryEntries): Replicas {
  const { open, now, changes } = deps;
  /** Replica ids by engine. */
  const engines = new Map<string, MemoryEntries>();
  const drains = new Set<string>();

  return {
    announce: (replica, ttlMs, replacing) =>
      open(() => {
        const { id, instance, engineId } = replica;
        const before = replicas.get(id)?.text;
        const rival = rivalIn(before, { instance, replacing });
        if (rival !== undefined) return rival;
        const text = JSON.stringify(replica);
        const expiresAt = now() + ttlMs;
        replicas.set(id, { text, expiresAt });
        const inventory = inventories.get(id);
        if (inventory !== undefined) inventory.expiresAt = expiresAt;
        const members = engines.get(engineId) ?? createMemoryEntries(now);
        members.set(id, { text: "", expiresAt: now() + ENGINE_MEMORY_MS });
        engines.set(engineId, members);
        if (before !== text) changes.notify({ kind: "replica", replica: structuredClone(replica) });
        return undefined;
      }),
    withdraw: (replicaId, instance) =>
      open(() => {
        const entry = replicas.get(replicaId);
        if (entry === undefined || instanceOf(entry.text) !== instance) return;
        replicas.delete(replicaId);
        inventories.delete(replicaId);
        changes.notify({ kind: "left", replicaId });
      }),
    replicas: () =>
      open(() =>
        replicas
          .ids()
          .map((id) => parseEntry(ReplicaInfo, replicas.get(id)?.text))
          .filter((replica) => replica !== undefined),
      ),
    replicasOfEngine: (engineId) => open(() => engines.get(engineId)?.ids() ?? []),
    setDraining: (replicaId, draining) =>
      open(() => {
        if (draining && drains.has(replicaId)) return;
        if (draining) drains.add(replicaId);
        else drains.delete(replicaId);
        changes.notify({ kind: "drain", replicaId, draining });
      }),
    drains: () => open(() => new Set(drains)),
  };
}

function inventoryMethods(
  deps: Deps,
  replicas: MemoryEntries,
  inventories: StoredInventories,
): InventoryMethods {
  const { open, now, changes } = deps;

  function read(replicaId: string): Inventory | undefined {
    const images = parseImages(inventories.get(replicaId)?.text);
    const version = inventories.versions.get(replicaId);
    return images === undefined || version === undefined ? undefined : { version, images };
  }

  function put(replicaId: string, next: NextInventory | undefined): void {
    const expiresAt = replicas.get(replicaId)?.expiresAt ?? now() + UNANNOUNCED_INVENTORY_MS;
    const entry = inventories.get(replicaId);
    if (entry !== undefined) entry.expiresAt = expiresAt;
    if (next === undefined) return;
    const { version, images } = next.inventory;
    inventories.set(replicaId, { text: imagesToText(images), expiresAt });
    inventories.versions.set(replicaId, version);
    changes.notify({ kind: "inventory", replicaId, version, change: next.change });
  }

  return {
    publishInventory: (replicaId, images: Images) =>
      open(() => put(replicaId, nextInventory(read(replicaId), images, now()))),
    changeInventory: (replicaId, change: InventoryChange) =>
      open(() => {
        const stored = read(replicaId);
        if (stored === undefined) return false;
        put(replicaId, nextInventory(stored, changedImages(stored.images, change), now()));
        return true;
      }),
    inventory: (replicaId) => open(() => read(replicaId)),
    copyInventory: (replicaId, into) =>
      open(() => {
        const found = read(replicaId);
        into.clear();
        into.set([...(found?.images ?? [])]);
        return found?.version;
      }),
    heldBy: (image, replicaIds) =>
      open(() => heldImagesOf(replicaIds.map((id) => [id, read(id)?.images.get(image)]))),
    inventoryVersions: () =>
      open(() => {
        const found = new Map<string, number>();
        for (const id of replicas.ids()) {
          const version = read(id)?.version;
          if (version !== undefined) found.set(id, version);
        }
        return found;
      }),
  };
}
