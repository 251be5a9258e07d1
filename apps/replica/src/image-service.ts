import {
  createImageStore,
  createPublishedImages,
  type ImageEngine,
  type ImageStore,
  type PublishedImages,
  type RegistryEngine,
} from "@remote-runtime/image";
import type { Clock, Log } from "@remote-runtime/runtime";
import type { SandboxConfig } from "./config.ts";

export type ImageServiceOptions = {
  engine: ImageEngine & RegistryEngine;
  config: Pick<SandboxConfig, "MAX_PULLS">;
  clock: Clock;
  log: Log;
};

export interface ImageService {
  /** What the engine holds and brings. */
  readonly images: ImageStore;
  /** What registries have. */
  readonly published: PublishedImages;
}

/** A replica's images: on its engine, and where they come from. */
export function createImageService(options: ImageServiceOptions): ImageService {
  const { engine, config, clock, log } = options;
  const backoff = { sleep: clock.sleep, random: Math.random };
  return {
    images: createImageStore({ engine, maxPulls: config.MAX_PULLS, backoff }),
    published: createPublishedImages({ engine, now: clock.now, log }),
  };
}
