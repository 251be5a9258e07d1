import { residentBytes } from "./watch-memory.ts";

const ROUND = 100;
const MOST_ROUNDS = 40;
const STEADY_BYTES = 512 * 1024;

/**
 * Asks the server at this URL for its metrics until that makes its resident memory grow no more: of a heap that is new, a part
 * is touched for the first time with whatever is asked for. Throws when there is no end of it.
 */
export async function settleMemory(url: string): Promise<void> {
  let steady = 0;
  let most = await residentBytes(url);
  for (let round = 0; round < MOST_ROUNDS; round += 1) {
    let bytes = 0;
    for (let asked = 0; asked < ROUND; asked += 1) bytes = await residentBytes(url);
    steady = bytes < most + STEADY_BYTES ? steady + 1 : 0;
    most = Math.max(most, bytes);
    if (steady === 2) return;
  }
  throw new Error(`the memory of ${url} grows on and on: ${most} bytes`);
}
