import {
  createImageBringer,
  createImageStore,
  createPrefetches,
  createPublishedImages,
  createPublisher,
  type ArchiveEngine,
  type ImageDisk,
  type ImageEngine,
  type ImageStore,
  type MirrorEngine,
  type Prefetches,
  type PublishedImages,
  type Publisher,
  type RegistryEngine,
  type Siblings,
} from "@remote-runtime/image";
import type { Registry } from "@remote-runtime/registry";
import type { Clock, Log } from "@remote-runtime/runtime";
import type { SandboxConfig } from "./config.ts";
import { createSiblings } from "./siblings.ts";

export type ImageServiceOptions = {
  engine: ImageEngine & RegistryEngine & MirrorEngine & ArchiveEngine;
  engineId: string;
  config: Pick<SandboxConfig, "MAX_PULLS" | "REGISTRY" | "REGISTRY_MIRRORS">;
  registry: Pick<Registry, "replicas" | "inventory">;
  /** Makes room for what is brought. */
  disk: ImageDisk;
  /** One of the keys that all replicas are given. Default: images are not copied from other replicas. */
  key?: string | undefined;
  clock: Clock;
  log: Log;
};

export interface ImageService {
  /** What the engine holds and brings. */
  readonly images: ImageStore;
  /** What it brings ahead of the starts. */
  readonly prefetches: Prefetches;
  /** What registries have. */
  readonly published: PublishedImages;
  /** Where builds go; `undefined`: they stay where they are. */
  readonly publisher: Publisher | undefined;
}

/** A replica's images: on its engine, and where they come from. */
export function createImageService(options: ImageServiceOptions): ImageService {
  const { engine, config, disk, key, clock, log } = options;
  const { REGISTRY: folder, REGISTRY_MIRRORS: mirrors, MAX_PULLS: maxPulls } = config;
  const { now } = clock;
  const backoff = { sleep: clock.sleep, random: Math.random };
  const siblings = key === undefined ? NOBODY : createSiblings({ ...options, key, now });
  const bringer = createImageBringer({ engine, siblings, folder, mirrors, log });
  const images = createImageStore({ engine: bringer, maxPulls, backoff, disk });
  return {
    images,
    prefetches: createPrefetches({ images, maxPulls }),
    published: createPublishedImages({ engine, mirrors, now, log }),
    publisher: folder === undefined ? undefined : createPublisher({ engine, folder, backoff, now }),
  };
}

const NOBODY: Siblings = { copy: async () => false };
