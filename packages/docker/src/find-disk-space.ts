import { readFile, statfs } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import type { DiskSpace } from "@remote-runtime/image";
import { ServiceError } from "@remote-runtime/protocol";
import { z } from "zod";
import type { Docker } from "./create-docker.ts";
import { engineCall } from "./engine-call.ts";
import { engineUsage } from "./engine-usage.ts";

export type DiskSpaceOptions = {
  /** A path on the engine's disk, as this process sees it. Default: found out. */
  path?: string | undefined;
  /** What images and build cache may take together. Default: the disk. */
  limitBytes?: number | undefined;
  /** Whether this process is in a container of that very engine. */
  isContained: boolean;
  /** Default: this machine's. */
  host?: { name: string; engineIdAt: (dataRoot: string) => Promise<string | undefined> };
};

export type DiskSource = {
  /** For people; `undefined`: nothing is known. */
  readonly description: string | undefined;
  /** What there is now; of disk and limit the one with less left. */
  space(): Promise<DiskSpace | undefined>;
};

/** The engine mounts this file, which lies in its data root, into each of its containers. */
const MOUNTED = "/etc/hostname";
const Info = z.object({ ID: z.string(), Name: z.string(), DockerRootDir: z.string() });

/** Finds out how this process can see how much room there is for an engine's images. `bad_request` when `path` is none. */
export async function findDiskSpace(
  docker: Docker,
  options: DiskSpaceOptions,
): Promise<DiskSource> {
  const { limitBytes } = options;
  const path = await pathOnDisk(docker, options);
  if (options.path !== undefined && (await spaceAt(options.path)) === undefined) {
    throw new ServiceError("bad_request", `${options.path} is no path on this machine`);
  }
  const limit = limitBytes === undefined ? undefined : `a limit of ${limitBytes / 1e9} GB`;
  const described = [path === undefined ? undefined : `the file system of ${path}`, limit];
  return {
    description: described.filter((part) => part !== undefined).join(", ") || undefined,
    async space() {
      const spaces = await Promise.all([
        path === undefined ? undefined : spaceAt(path),
        limitBytes === undefined ? undefined : spaceBelow(docker, limitBytes),
      ]);
      const known = spaces.filter((space) => space !== undefined);
      return known.toSorted((one, other) => one.freeBytes - other.freeBytes)[0];
    },
  };
}

async function pathOnDisk(
  docker: Docker,
  { path, isContained, host = thisHost }: DiskSpaceOptions,
): Promise<string | undefined> {
  if (path !== undefined) return path;
  if (isContained) return MOUNTED;
  const { ID, Name, DockerRootDir } = await engineCall("data root of the engine", async () =>
    Info.parse(await docker.info()),
  );
  if ((await spaceAt(DockerRootDir)) === undefined) return undefined;
  // The engine of another machine, or of a container, calls its data root the same as one here.
  const idThere = await host.engineIdAt(DockerRootDir);
  const isSame = idThere === undefined ? Name === host.name : idThere === ID;
  return isSame ? DockerRootDir : undefined;
}

const thisHost = {
  name: hostname(),
  async engineIdAt(dataRoot: string): Promise<string | undefined> {
    try {
      return (await readFile(join(dataRoot, "engine-id"), "utf8")).trim();
    } catch {
      // Only root may read it, and older engines have none.
      return undefined;
    }
  },
};

async function spaceAt(path: string): Promise<DiskSpace | undefined> {
  try {
    const { bsize, blocks, bfree, bavail } = await statfs(path);
    const freeBytes = bavail * bsize;
    // As df counts: what is kept for root is neither used nor free.
    return { freeBytes, totalBytes: (blocks - bfree) * bsize + freeBytes };
  } catch {
    // Not seen from here.
    return undefined;
  }
}

async function spaceBelow(docker: Docker, totalBytes: number): Promise<DiskSpace> {
  const { layerBytes, cacheBytes } = await engineUsage(docker);
  return { totalBytes, freeBytes: Math.max(0, totalBytes - layerBytes - cacheBytes) };
}
