import { createDockerDisk, findDiskSpace, type Docker } from "@remote-runtime/docker";
import {
  canonicalReference,
  createDiskKeeper,
  type DiskKeeper,
  type DiskKeeperOptions,
} from "@remote-runtime/image";
import { ServiceError } from "@remote-runtime/protocol";
import type { Clock } from "@remote-runtime/runtime";
import { ConfigError, type Log } from "@remote-runtime/server";
import type { SandboxConfig } from "./config.ts";

export type EngineDiskOptions = Pick<
  DiskKeeperOptions,
  "used" | "isHomed" | "hasMoved" | "leads" | "idOf"
> & {
  docker: Docker;
  config: Pick<SandboxConfig, "DISK_PATH" | "DISK_GB" | "DISK_RESERVE_MIB" | "INJECT"> &
    Pick<SandboxConfig, "DISK_HIGH_PERCENT" | "DISK_LOW_PERCENT" | "EVICT_IMAGES">;
  /** Whether this process is in a container of that engine. */
  isContained: boolean;
  pulling: () => readonly string[];
  /** By canonical reference. Default: nothing is pinned. */
  isPinned?: (image: string) => boolean;
  isPrefetched: (image: string) => boolean;
  onEvicted: (names: readonly string[]) => void;
  clock: Clock;
  log: Log;
};

const GB = 1e9;
const MIB = 1024 * 1024;

/** Keeps the engine's disk from filling up. ConfigError when DISK_PATH leads nowhere. */
export async function createEngineDisk(options: EngineDiskOptions): Promise<DiskKeeper> {
  const { docker, config, clock, log, isPinned = () => false } = options;
  const source = await findSource(options);
  const injected = config.INJECT.map(({ image }) => canonicalReference(image));
  if (source.description === undefined) {
    const advice = "set DISK_PATH to a path on it, or DISK_GB to what images may take";
    log.warn(
      {},
      `how full the engine's disk is cannot be found out, so no image is removed; ${advice}`,
    );
  } else log.info({ disk: source.description, ...(await source.space()) }, "the engine's disk");
  return createDiskKeeper({
    ...options,
    engine: createDockerDisk({ docker, space: source.space }),
    policy: {
      highShare: config.DISK_HIGH_PERCENT / 100,
      lowShare: config.DISK_LOW_PERCENT / 100,
      reserveBytes: config.DISK_RESERVE_MIB * MIB,
      scope: config.EVICT_IMAGES,
    },
    kept: () => [...options.pulling(), ...injected],
    isPinned,
    now: clock.now,
    sleep: clock.sleep,
  });
}

async function findSource({ docker, config, isContained }: EngineDiskOptions) {
  const { DISK_PATH: path, DISK_GB: gigabytes } = config;
  const limitBytes = gigabytes === 0 ? undefined : gigabytes * GB;
  try {
    return await findDiskSpace(docker, { path, limitBytes, isContained });
  } catch (error) {
    const { code, message } = ServiceError.from(error);
    if (code !== "bad_request" || path === undefined) throw error;
    throw new ConfigError([`DISK_PATH: ${message}`], { cause: error });
  }
}
