import { statfsSync } from "node:fs";
import { dirname } from "node:path";
import { reserveOf } from "@remote-runtime/image";
import type { UploadSpace } from "./upload-room.ts";

/**
 * What the disk has on which this folder is or will be, with `reserveOf` to stay free. `undefined` where the system does not
 * say. Synchronous, so that nobody else is promised the same bytes meanwhile.
 */
export function uploadSpace(folder: string, reserveBytes: number): UploadSpace | undefined {
  for (let path = folder; ; path = dirname(path)) {
    try {
      const { bsize, blocks, bfree, bavail } = statfsSync(path);
      // As some file systems of a network answer.
      if (blocks === 0) return undefined;
      const freeBytes = bavail * bsize;
      // As df counts: what is kept for root is neither used nor free.
      const totalBytes = (blocks - bfree) * bsize + freeBytes;
      return { freeBytes, reserveBytes: reserveOf({ freeBytes, totalBytes }, { reserveBytes }) };
    } catch {
      // It is made with the first upload, and gone after the last.
      if (path === dirname(path)) return undefined;
    }
  }
}
