import { setTimeout as delay } from "node:timers/promises";

const EVERY_MS = 100;

/** Watches the resident memory of the server at this URL; `end` answers by how many bytes it grew at its height. */
export async function watchMemory(url: string): Promise<{ end(): Promise<number> }> {
  const before = await residentBytes(url);
  const controller = new AbortController();
  let most = before;
  const watching = (async () => {
    while (!controller.signal.aborted) {
      most = Math.max(most, await residentBytes(url));
      await delay(EVERY_MS);
    }
  })();
  return {
    async end() {
      controller.abort();
      await watching;
      return most - before;
    },
  };
}

/** Of the server at this URL, as its metrics say. */
export async function residentBytes(url: string): Promise<number> {
  const metrics = await (await fetch(`${url}/metrics`)).text();
  return Number(/^process_resident_memory_bytes (\S+)$/m.exec(metrics)?.[1]);
}
