import type { Client } from "@remote-runtime/client";
import { MOST_PREFETCH_IMAGES } from "@remote-runtime/protocol";

const TIMEOUT_MS = 30_000;

/** Pins or unpins a list of any length. Returns how many changed. */
export async function pinImages(
  change: "pin" | "unpin",
  images: readonly string[],
  { client, signal }: { client: Client; signal: AbortSignal },
): Promise<number> {
  let changed = 0;
  for (let from = 0; from < images.length; from += MOST_PREFETCH_IMAGES) {
    const body = { images: images.slice(from, from + MOST_PREFETCH_IMAGES) };
    const options = { signal, timeoutMs: TIMEOUT_MS };
    changed +=
      change === "pin"
        ? (await client.call("pin", { body }, options)).pinned
        : (await client.call("unpin", { body }, options)).unpinned;
  }
  return changed;
}
