import type { Clock } from "@remote-runtime/runtime";
import type { Directory } from "./directory.ts";

/** Without the registry nothing can be answered yet; but whoever waits for this server is to see that it runs. */
const PATIENCE_MS = 4_000;
const PAUSE_MS = 100;

/** Reads the registry until it has answered once. A slow one takes several tries: a connection, and scripts to be sent. */
export async function learn({
  directory,
  clock,
  signal,
}: {
  directory: Pick<Directory, "refresh" | "isCutOff">;
  clock: Clock;
  signal: AbortSignal;
}): Promise<void> {
  const deadline = clock.now() + PATIENCE_MS;
  await directory.refresh();
  while (directory.isCutOff() && clock.now() < deadline && !signal.aborted) {
    // Rejects at once when it is aborted.
    await clock.sleep(PAUSE_MS, signal).catch(() => undefined);
    await directory.refresh();
  }
}
