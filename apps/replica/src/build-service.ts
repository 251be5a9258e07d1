import { randomBytes } from "node:crypto";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  createBaseBringer,
  createBuilds,
  type BuildEngine,
  type Builds,
  type ImageDisk,
  type ImageStore,
  type Publisher,
} from "@remote-runtime/image";
import { newRuntimeId, replicaTagOf } from "@remote-runtime/protocol";
import { createBuildReceiver, type BuildReceiver, type Log } from "@remote-runtime/server";
import type { SandboxConfig } from "./config.ts";
import type { Inventory } from "./inventory.ts";

export type BuildServiceOptions = {
  engine: BuildEngine;
  config: Pick<SandboxConfig, "MAX_BUILDS" | "MAX_BUILD_CONTEXT_MIB"> &
    Pick<SandboxConfig, "BUILD_TIMEOUT_SECONDS" | "BUILD_UPLOAD_TIMEOUT_SECONDS">;
  /** For uploads and logs, and for nothing else. Default: one among the system's temporary files. */
  folder: string | undefined;
  replicaId: string;
  images: Pick<ImageStore, "refresh" | "fetch">;
  publisher: Publisher | undefined;
  disk: ImageDisk;
  inventory: Pick<Inventory, "changed">;
  /** This replica's part of so many turns on the engine. */
  partOf: (total: number) => number;
  /** Milliseconds, of any clock that goes on. */
  now: () => number;
  log: Log;
};

export interface BuildService {
  readonly builds: Builds;
  readonly receive: BuildReceiver;
  /** Gives up the builds that run, and removes all that is on disk. */
  close(): Promise<void>;
}

const MIB = 1024 * 1024;
/** Archives that are uploaded, built or wait, counted as if each were as large as allowed. */
const MOST_HELD_CONTEXTS = 8;

/** A replica's builds, with their files. */
export function createBuildService(options: BuildServiceOptions): BuildService {
  const { engine, config, replicaId, images, disk, inventory, now, log } = options;
  const name = `openhands-builds-${encodeURIComponent(replicaId)}`;
  const folder = options.folder ?? join(tmpdir(), name);
  const maxContextBytes = config.MAX_BUILD_CONTEXT_MIB * MIB;
  const builds = createBuilds({
    engine,
    maxBuilds: () => options.partOf(config.MAX_BUILDS),
    timeoutMs: config.BUILD_TIMEOUT_SECONDS * 1000,
    folder,
    disk,
    // So that any gateway finds the replica again.
    newId: () => newRuntimeId(replicaTagOf(replicaId), randomBytes),
    bases: createBaseBringer({ images, now }),
    async onBuilt() {
      await images.refresh();
      inventory.changed();
    },
    publisher: options.publisher,
    log,
  });
  return {
    builds,
    receive: createBuildReceiver({
      folder,
      maxContextBytes,
      maxHeldBytes: MOST_HELD_CONTEXTS * maxContextBytes,
      timeoutMs: config.BUILD_UPLOAD_TIMEOUT_SECONDS * 1000,
    }),
    async close() {
      builds.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
