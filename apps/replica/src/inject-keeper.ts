import { createDockerInject, type Docker } from "@remote-runtime/docker";
import {
  createInjectStore,
  type DiskKeeper,
  type ImageStore,
  type InjectStore,
} from "@remote-runtime/image";
import type { Clock } from "@remote-runtime/runtime";
import type { Log } from "@remote-runtime/server";
import type { SandboxConfig } from "./config.ts";

const EVERY_MS = 10 * 60_000;

export interface InjectKeeper extends InjectStore {
  /** Has volumes ready before the first sandbox wants them, and removes outdated ones, until `ending` aborts. */
  run(ending: AbortSignal): Promise<void>;
}

export type InjectKeeperOptions = {
  docker: Docker;
  config: Pick<SandboxConfig, "INJECT" | "SANDBOX_NETWORK">;
  images: ImageStore;
  disk: DiskKeeper;
  /** Aborts when the process is about to end. */
  signal: AbortSignal;
  clock: Clock;
  log: Pick<Log, "warn">;
};

/** The injected paths of one replica, looked after every ten minutes. */
export function createInjectKeeper(options: InjectKeeperOptions): InjectKeeper {
  const { docker, config, images, disk, signal, clock, log } = options;
  const store = createInjectStore({
    // Replicas with one sandbox network are of one deployment, and share the volumes.
    engine: createDockerInject({ docker, scope: config.SANDBOX_NETWORK, signal }),
    images,
    mappings: config.INJECT,
    disk,
    signal,
  });

  async function tend(): Promise<void> {
    try {
      await store.tend();
    } catch (error) {
      if (signal.aborted) return;
      log.warn({ err: error }, "the volumes of injected paths cannot be looked after now");
    }
  }

  return {
    ...store,
    async run(ending) {
      while (!ending.aborted) {
        await tend();
        // Rejects when the signal aborts, which ends the loop.
        await clock.sleep(EVERY_MS, ending).catch(() => undefined);
      }
    },
  };
}
