import {
  createImageStore,
  createPublishedImages,
  createPublisher,
  type ImageEngine,
  type ImageStore,
  type PublishedImages,
  type Publisher,
  type RegistryEngine,
} from "@remote-runtime/image";
import type { Clock, Log } from "@remote-runtime/runtime";
import type { SandboxConfig } from "./config.ts";

export type ImageServiceOptions = {
  engine: ImageEngine & RegistryEngine;
  config: Pick<SandboxConfig, "MAX_PULLS" | "REGISTRY">;
  clock: Clock;
  log: Log;
};

export interface ImageService {
  /** What the engine holds and brings. */
  readonly images: ImageStore;
  /** What registries have. */
  readonly published: PublishedImages;
  /** Where builds go; `undefined`: they stay where they are. */
  readonly publisher: Publisher | undefined;
}

/** A replica's images: on its engine, and where they come from. */
export function createImageService(options: ImageServiceOptions): ImageService {
  const { engine, config, clock, log } = options;
  const backoff = { sleep: clock.sleep, random: Math.random };
  const { REGISTRY: folder } = config;
  const { now } = clock;
  return {
    images: createImageStore({ engine, maxPulls: config.MAX_PULLS, backoff }),
    published: createPublishedImages({ engine, now, log }),
    publisher: folder === undefined ? undefined : createPublisher({ engine, folder, backoff, now }),
  };
}
