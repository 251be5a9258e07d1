import { createManifestReader } from "@remote-runtime/docker";
import {
  createDigestMarks,
  createImageBringer,
  createImageStore,
  createPrefetches,
  createPublishedImages,
  createPublishedSizes,
  createPublisher,
  createRegistryPauses,
  createSharedPulls,
  type DiskKeeper,
  type ImageStore,
  type Prefetches,
  type PublishedImages,
  type PublishedSizes,
  type Publisher,
  type SharedPulls,
  type Siblings,
} from "@remote-runtime/image";
import type { Registry } from "@remote-runtime/registry";
import type { Clock } from "@remote-runtime/runtime";
import type { Log } from "@remote-runtime/server";
import type { SandboxConfig } from "./config.ts";
import type { ConnectedEngine } from "./connect-engine.ts";
import { createEngineDisk } from "./engine-disk.ts";
import { createHomes, type Homes } from "./homes.ts";
import { createInjectKeeper, type InjectKeeper } from "./inject-keeper.ts";
import { createInventory, type Inventory } from "./inventory.ts";
import { createMoves } from "./moves.ts";
import { createPins } from "./pins.ts";
import { createPullLeases } from "./pull-leases.ts";
import { credentialSourceOf } from "./registry-setting.ts";
import { createSiblings } from "./siblings.ts";

export type ImageServiceOptions = {
  connected: ConnectedEngine;
  replicaId: string;
  config: SandboxConfig;
  registry: Registry;
  /** Names of the images that runtimes have or are about to have. */
  used: () => ReadonlySet<string>;
  /** This replica's part of so many turns on the engine. */
  partOf: (total: number) => number;
  /** One of the keys that all replicas are given. Default: images are not copied from other replicas. */
  key?: string | undefined;
  clock: Clock;
  log: Log;
  /** Aborts when the process is about to end. */
  signal: AbortSignal;
};

export interface ImageService {
  /** What the engine holds and brings. */
  readonly images: ImageStore;
  /** What it brings ahead of the starts. */
  readonly prefetches: Prefetches;
  /** What registries have. */
  readonly published: PublishedImages;
  /** What their images weigh there. */
  readonly sizes: PublishedSizes;
  /** Where builds go; `undefined`: they stay where they are. */
  readonly publisher: Publisher | undefined;
  /** Room for all of them. */
  readonly disk: DiskKeeper;
  /** Paths of images, as volumes. */
  readonly injects: InjectKeeper;
  /** What gateways know of them. */
  readonly inventory: Inventory;
  readonly homes: Homes;
  /** The engine's images changed. */
  changed(): void;
  /** Keeps all of it true until `signal` aborts. */
  run(signal: AbortSignal): Promise<void>;
}

/** A replica's images: on its engine, where they come from, and how long they stay. */
export async function createImageService(options: ImageServiceOptions): Promise<ImageService> {
  const { connected, replicaId, config, registry, key, clock, log } = options;
  const { docker, engine, description, self } = connected;
  const { REGISTRY: folder, REGISTRY_MIRRORS: mirrors } = config;
  const maxPulls = (): number => options.partOf(config.MAX_PULLS);
  const { now } = clock;
  const engineId = description.id;
  const homes = createHomes({ replicaId, engineId });
  const moves = createMoves({ registry, isHere: homes.isHere });
  const pins = createPins({ registry, clock, log });
  const disk = await createEngineDisk({
    ...homes,
    hasMoved: moves.hasMoved,
    docker,
    config,
    isContained: self !== undefined,
    used: options.used,
    pulling: () => images.pulling(),
    idOf: (name) => images.inventory().get(name)?.id,
    isPinned: pins.isPinned,
    isPrefetched: (name) => prefetches.wants(name),
    onEvicted: (names) => prefetches.evicted(names),
    clock,
    log,
  });
  const backoff = { sleep: clock.sleep, random: Math.random };
  // Where nothing is removed, nothing is marked either.
  const markDigests =
    config.EVICT_IMAGES === "none" ? async () => undefined : createDigestMarks({ engine, log });
  const siblings =
    key === undefined
      ? NOBODY
      : createSiblings({ ...options, engine, engineId, markDigests, key, now });
  const leases = createPullLeases({ engineId, registry });
  const shared =
    key === undefined ? ALONE : createSharedPulls({ leases, siblings, sleep: clock.sleep });
  const sources = { siblings, shared, folder, mirrors, pauses: createRegistryPauses({ now }) };
  const bringer = createImageBringer({ ...sources, engine, markDigests, log });
  const images = createImageStore({ engine: bringer, maxPulls, backoff, disk });
  const prefetches = createPrefetches({ images, maxPulls });
  const injects = createInjectKeeper({ ...options, docker, images, disk });
  const registries = createManifestReader({ docker, credentials: credentialSourceOf(config), now });
  const inventory = createInventory({ replicaId, images, registry, clock, log });

  return {
    images,
    prefetches,
    published: createPublishedImages({ engine, mirrors, now, log }),
    sizes: createPublishedSizes({ registries, mirrors, now }),
    publisher: folder === undefined ? undefined : createPublisher({ engine, folder, backoff, now }),
    disk,
    injects,
    inventory,
    homes,
    changed() {
      images.outdate();
      inventory.changed();
      disk.changed();
    },
    async run(signal) {
      await Promise.all([inventory, injects, moves, pins, disk].map((part) => part.run(signal)));
      prefetches.close();
    },
  };
}

const NOBODY: Siblings = { have: async () => false, copy: async () => "none" };
const ALONE: SharedPulls = {
  async run(_reference, _mayWait, pull) {
    await pull();
    return undefined;
  },
};
