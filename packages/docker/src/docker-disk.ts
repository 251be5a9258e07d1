import {
  digestOfMark,
  type DiskEngine,
  type DiskSpace,
  type StoredImage,
} from "@remote-runtime/image";
import { ServiceError } from "@remote-runtime/protocol";
import { z } from "zod";
import type { Docker } from "./create-docker.ts";
import { engineCall } from "./engine-call.ts";
import { engineRequest } from "./engine-request.ts";
import { engineUsage } from "./engine-usage.ts";
import { isMark, markOf } from "./image-mark.ts";
import { imagePath } from "./image-path.ts";
import { unlessAbsent } from "./unless-absent.ts";

/** Gigabytes of small files on a slow disk. */
const REMOVAL_DEADLINE_MS = 5 * 60_000;

const Names = z
  .array(z.string())
  .nullish()
  .transform((names) => (names ?? []).filter((name) => !name.includes("<none>")));
const Listed = z.object({ Id: z.string(), RepoTags: Names, RepoDigests: Names, Size: z.number() });
const Inspected = z.object({
  Id: z.string(),
  RepoTags: Names,
  RepoDigests: Names,
  Metadata: z.object({ LastTagTime: z.string().nullish() }).nullish(),
});
const Used = z.object({ ImageID: z.string() });

export type DockerDiskOptions = {
  docker: Docker;
  /** As `findDiskSpace` answers it. */
  space: () => Promise<DiskSpace | undefined>;
};

/**
 * The disk of the engine behind `docker`. What was brought has a tag beside each of its names: the engine keeps the time at
 * which an image was last tagged, so that is also how it knows when the image was used.
 */
export function createDockerDisk({ docker, space }: DockerDiskOptions): DiskEngine {
  async function inspect(name: string): Promise<z.output<typeof Inspected> | undefined> {
    return unlessAbsent(() =>
      engineCall(`image ${name}`, async () =>
        Inspected.parse(await docker.getImage(imagePath(name)).inspect()),
      ),
    );
  }

  async function tag(source: string, name: string): Promise<void> {
    const [repo, label] = splitTag(name);
    await engineCall(`tag of ${source}`, (abortSignal) =>
      docker.getImage(imagePath(source)).tag({ repo, tag: label, abortSignal }),
    );
  }

  /**
   * A tag that was pulled or built anew has left its old image, which may keep a digest for a name: without a mark of its own
   * it would be somebody else's for good.
   */
  async function keepKnown(mark: string, newId: string): Promise<void> {
    const old = await inspect(mark);
    if (!old || old.Id === newId) return;
    const names = [...old.RepoTags.filter((name) => !isMark(name)), ...old.RepoDigests];
    if (names.length > 0) await tag(old.Id, markOf(old.Id));
  }

  /** Only a name: with its last one the image goes, unless a container has it, which is a `conflict`. */
  async function untag(name: string): Promise<void> {
    await unlessAbsent(() =>
      engineCall(
        `removal of ${name}`,
        (abortSignal) => docker.getImage(imagePath(name)).remove({ abortSignal }),
        REMOVAL_DEADLINE_MS,
      ),
    );
  }

  /** Marks last: what is left half way is known as ours. */
  async function remove({ id, names }: StoredImage): Promise<"removed" | "in use"> {
    const marks = (await inspect(id))?.RepoTags.filter(isMark) ?? [];
    const removed: string[] = [];
    try {
      for (const name of [...names, ...marks]) {
        await untag(name);
        removed.push(name);
      }
      return "removed";
    } catch (error) {
      if (!(error instanceof ServiceError) || error.code !== "conflict") throw error;
      // A container got it meanwhile, and it shall keep its names.
      for (const name of removed) if (!name.includes("@")) await tag(id, name);
      return "in use";
    }
  }

  return {
    space,
    remove,
    async stored() {
      const listed = await engineCall("list of images", async (abortSignal) =>
        z.array(Listed).parse(await docker.listImages({ abortSignal })),
      );
      return listed.map(storedFrom);
    },
    async inUse() {
      const containers = await engineCall("list of containers", async (abortSignal) =>
        z.array(Used).parse(await docker.listContainers({ all: true, abortSignal })),
      );
      return new Set(containers.map(({ ImageID }) => ImageID));
    },
    async mark(id, reference) {
      const mark = markOf(reference);
      await keepKnown(mark, id);
      await tag(id, mark);
    },
    async markedAt(id) {
      const found = await inspect(id);
      return Math.max(0, Date.parse(found?.Metadata?.LastTagTime ?? "") || 0);
    },
    cacheBytes: async () => (await engineUsage(docker)).cacheBytes,
    async trimBuildCache(freeBytes) {
      const { cacheBytes } = await engineUsage(docker);
      if (cacheBytes === 0) return;
      const kept = Math.max(0, Math.floor(cacheBytes - freeBytes));
      await engineRequest(docker, {
        what: "removal of build cache",
        method: "POST",
        path: "/build/prune",
        query: { all: true, "keep-storage": kept },
        deadlineMs: REMOVAL_DEADLINE_MS,
      });
    },
  };
}

function storedFrom({ Id, RepoTags, RepoDigests, Size }: z.output<typeof Listed>): StoredImage {
  const marks = new Set(RepoTags.filter(isMark));
  const tags = RepoTags.filter((name) => !isMark(name));
  // Somebody else's name for it keeps it: without that its removal would free nothing.
  const isBrought = marks.size > 0 && tags.every((name) => marks.has(markOf(name)));
  const digests = [...marks].flatMap((mark) => digestOfMark(mark) ?? []);
  return { id: Id, names: [...tags, ...RepoDigests], digests, sizeBytes: Size, isBrought };
}

function splitTag(name: string): [repository: string, tag: string] {
  const at = name.lastIndexOf(":");
  return [name.slice(0, at), name.slice(at + 1)];
}
