import type { Change, Images, Registry } from "@remote-runtime/registry";
import pLimit from "p-limit";
import { createHolders } from "./holders.ts";
import { ImageNames } from "./image-names.ts";
import { PackedImages } from "./packed-images.ts";

/** The images of all replicas: read whole once, then kept by the changes that the registry tells of. */
export interface Inventories {
  /** By canonical reference; empty where nothing is known. */
  of(replicaId: string): Images;
  /** The replicas that hold the image. */
  holders(image: string): readonly string[];
  /** A change that does not follow on what is known is left to the next `refresh`. */
  apply(change: InventoryChanged): "applied" | "behind";
  /**
   * Reads those lists whose version is another one, and forgets those of replicas that are not in `present`. Throws at the
   * end when one could not be read.
   */
  refresh(present: ReadonlySet<string>): Promise<void>;
}

export type InventoryChanged = Extract<Change, { kind: "inventory" }>;

type Known = { version: number; images: PackedImages };

/** A registry may take its time for one; but parsing thousands of names each, more of them would hold up the requests. */
const READ_AT_ONCE = 2;
const NOTHING: Images = new Map();
const NOBODY: readonly string[] = [];

export function createInventories(
  registry: Pick<Registry, "copyInventory" | "inventoryVersions">,
): Inventories {
  const known = new Map<string, Known>();
  const names = new ImageNames();
  const nothing = new PackedImages(names);
  const holders = createHolders();

  async function read(replicaId: string): Promise<void> {
    const versionBefore = known.get(replicaId)?.version;
    const images = new PackedImages(names);
    const version = await registry.copyInventory(replicaId, images).catch((error: unknown) => {
      images.clear();
      throw error;
    });
    if (version === undefined) return images.clear();
    // A change that came meanwhile is newer than what was read; else another version is the right one, be it lower.
    if (known.get(replicaId)?.version !== versionBefore) return images.clear();
    const before = known.get(replicaId)?.images ?? nothing;
    known.set(replicaId, { version, images });
    for (const id of before.ids()) if (!images.hasId(id)) holders.remove(id, replicaId);
    for (const id of images.ids()) if (!before.hasId(id)) holders.add(id, replicaId);
    before.clear();
  }

  function forget(replicaId: string): void {
    const { images } = known.get(replicaId) ?? { images: nothing };
    for (const id of images.ids()) holders.remove(id, replicaId);
    images.clear();
    known.delete(replicaId);
  }

  return {
    of: (replicaId) => known.get(replicaId)?.images ?? NOTHING,
    holders(image) {
      const id = names.idOf(image);
      return id === undefined ? NOBODY : holders.of(id);
    },
    apply({ replicaId, version, change }) {
      const inventory = known.get(replicaId);
      if (inventory && version <= inventory.version) return "applied";
      if (!inventory || !change || version !== inventory.version + 1) return "behind";
      for (const name of change.removed) {
        const id = inventory.images.delete(name);
        if (id !== undefined) holders.remove(id, replicaId);
      }
      for (const id of inventory.images.set([...change.added])) holders.add(id, replicaId);
      inventory.version = version;
      return "applied";
    },
    async refresh(present) {
      const versions = await registry.inventoryVersions();
      for (const id of known.keys()) if (!present.has(id)) forget(id);
      const stale = [...versions].filter(
        ([id, version]) => present.has(id) && known.get(id)?.version !== version,
      );
      const limit = pLimit(READ_AT_ONCE);
      const results = await Promise.allSettled(stale.map(([id]) => limit(() => read(id))));
      const failed = results.find(({ status }) => status === "rejected");
      if (failed?.status === "rejected") throw failed.reason;
    },
  };
}
