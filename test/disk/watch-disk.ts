import { statfs } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";

const EVERY_MS = 50;
const MIB = 1024 * 1024;

/** Keeps in mind how full a file system has ever been, until it is disposed of. */
export interface DiskWatch extends AsyncDisposable {
  leastFreeMib(): number;
}

export function watchDisk(path: string): DiskWatch {
  const ending = new AbortController();
  let least = Number.POSITIVE_INFINITY;
  const watching = (async () => {
    while (!ending.signal.aborted) {
      const { bavail, bsize } = await statfs(path);
      least = Math.min(least, (bavail * bsize) / MIB);
      await delay(EVERY_MS);
    }
  })();
  return {
    leastFreeMib: () => least,
    async [Symbol.asyncDispose]() {
      ending.abort();
      await watching;
    },
  };
}
