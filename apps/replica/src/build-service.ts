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
import { newRuntimeId, replicaTagOf, ROOM_WAIT_HEADER } from "@remote-runtime/protocol";
import { createBuildUploads, type BuildReceiver, type Log } from "@remote-runtime/server";
import type { SandboxConfig } from "./config.ts";
import type { Inventory } from "./inventory.ts";

export type BuildServiceOptions = {
  engine: BuildEngine;
  config: Pick<SandboxConfig, "MAX_BUILDS" | "MAX_BUILD_CONTEXT_MIB" | "DISK_RESERVE_MIB"> &
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
  /** Removes what another life has left. To be called once no other process has this replica's id. */
  empty(): Promise<void>;
  /** Gives up the builds that run, and removes all that is on disk. */
  close(): Promise<void>;
}

const MIB = 1024 * 1024;
/** Archives that are uploaded, built or wait: together as much as so many of the largest. */
const MOST_HELD_CONTEXTS = 8;
/** Clients give up a call that stands still for 30 s. */
const ROOM_WAIT_MS = 20_000;

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
  const uploads = createBuildUploads({
    folder,
    maxContextBytes,
    maxHeldBytes: MOST_HELD_CONTEXTS * maxContextBytes,
    reserveBytes: config.DISK_RESERVE_MIB * MIB,
    timeoutMs: config.BUILD_UPLOAD_TIMEOUT_SECONDS * 1000,
    waitMs: ({ headers }) => {
      const toldMs = Number.parseInt(headers.get(ROOM_WAIT_HEADER) ?? "", 10);
      return Math.min(Number.isNaN(toldMs) ? ROOM_WAIT_MS : Math.max(0, toldMs), ROOM_WAIT_MS);
    },
  });
  return {
    builds,
    receive: uploads.receive,
    async empty() {
      await uploads.empty().catch((error: unknown) => {
        log.warn({ err: error }, "what earlier builds have left stays where it is");
      });
    },
    async close() {
      builds.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
