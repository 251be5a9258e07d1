import { setTimeout as wait } from "node:timers/promises";
import type { Log } from "@remote-runtime/server";

const RETRY_MS = 1_000;

/**
 * Returns once the engine answers, however long that takes: a supervisor may start it after this server. Throws the
 * signal's own reason when that aborts.
 */
export async function waitForEngine(
  ping: () => Promise<boolean>,
  {
    address,
    log,
    signal,
    retryMs = RETRY_MS,
  }: {
    /** Where it is looked for. */
    address: string;
    log: Pick<Log, "warn" | "info">;
    signal: AbortSignal;
    retryMs?: number;
  },
): Promise<void> {
  if (await ping()) return;
  log.warn(
    `the Docker engine at ${address} does not answer yet; waiting for it (DOCKER_HOST says where it is)`,
  );
  for (;;) {
    // The timer would reject with an error of its own, which nobody could tell from a fault.
    await wait(retryMs, undefined, { signal }).catch(() => undefined);
    signal.throwIfAborted();
    if (await ping()) break;
  }
  log.info("the Docker engine answers");
}
