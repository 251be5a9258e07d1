import type { DiskUse } from "./disk-use.ts";

/** What those who bring and use images tell the one who keeps the disk, and ask of it. */
export interface ImageDisk {
  /** As `DiskGuard` has it; `name` is the canonical reference of what comes. */
  within<T>(
    use: DiskUse & { name?: string },
    work: (signal: AbortSignal) => Promise<T>,
  ): Promise<T>;
  /** A start uses the image with this content id. */
  used(id: string): void;
  /** Images of these canonical references and content ids stay until the answer is called, and so many milliseconds longer (default 0). */
  keep(names: readonly string[]): (lingerMs?: number) => void;
  /** This server has pulled (with a size) or built the image: it may remove it some time. Throws nothing. */
  brought(reference: string, image: { id: string; sizeBytes?: number }): Promise<void>;
}

/** Nobody keeps the disk. */
export const unboundedDisk: ImageDisk = {
  within: (use, work) => work(use.signal),
  used: () => undefined,
  keep: () => () => undefined,
  brought: async () => undefined,
};
