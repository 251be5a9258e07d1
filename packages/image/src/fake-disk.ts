import type { DiskEngine, StoredImage } from "./disk-engine.ts";

export interface FakeDisk extends DiskEngine {
  readonly images: Map<string, StoredImage>;
  /** Ids that containers have. */
  readonly containers: Set<string>;
  /** Ids, in the order of their removal. */
  readonly removed: string[];
  /** Bytes in use beside images: what is half pulled, and what is not the engine's. */
  otherBytes: number;
  builtBytes: number;
  readonly marks: Map<string, number>;
  /** By name, brought if not said otherwise. */
  add(name: string, sizeBytes: number, options?: { isBrought?: boolean }): void;
}

/** A disk in memory. Names are ids as well. */
export function createFakeDisk(totalBytes: number, now: () => number = () => 0): FakeDisk {
  const images = new Map<string, StoredImage>();
  const disk: FakeDisk = {
    images,
    containers: new Set(),
    removed: [],
    otherBytes: 0,
    builtBytes: 0,
    marks: new Map(),
    add(name, sizeBytes, { isBrought = true } = {}) {
      images.set(name, { id: name, names: [name], sizeBytes, isBrought });
    },
    async space() {
      const imageBytes = [...images.values()].reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
      const usedBytes = imageBytes + disk.otherBytes + disk.builtBytes;
      return { totalBytes, freeBytes: totalBytes - usedBytes };
    },
    stored: async () => [...images.values()],
    inUse: async () => new Set(disk.containers),
    async mark(id) {
      const marked = images.get(id);
      if (!marked) return;
      images.set(id, { ...marked, isBrought: true });
      disk.marks.set(id, now());
    },
    markedAt: async (id) => disk.marks.get(id) ?? 0,
    async remove({ id }) {
      if (disk.containers.has(id)) return "in use";
      images.delete(id);
      disk.removed.push(id);
      return "removed";
    },
    cacheBytes: async () => disk.builtBytes,
    async trimBuildCache(freeBytes) {
      disk.builtBytes = Math.max(0, disk.builtBytes - freeBytes);
    },
  };
  return disk;
}
