import { IncomingMessage } from "node:http";
import type { PathKind } from "@remote-runtime/image";
import { ServiceError } from "@remote-runtime/protocol";
import { z } from "zod";
import { INJECT_LABEL } from "./container-label.ts";
import type { Docker } from "./create-docker.ts";
import { diskBytesOf } from "./disk-bytes.ts";
import { directoryArchive } from "./directory-archive.ts";
import { CALL_DEADLINE_MS, engineCall } from "./engine-call.ts";
import { inBody } from "./in-body.ts";
import { unlessAbsent } from "./unless-absent.ts";

/** For gigabytes on a slow disk. */
const COPY_DEADLINE_MS = 15 * 60_000;
const STAT_HEADER = "x-docker-container-path-stat";
/** Of the file modes of Go, which the engine speaks. */
const DIRECTORY_BIT = 2 ** 31;
const Stat = z.object({ mode: z.number() });

export type HelperVolume = {
  name: string;
  path: string;
  labels: Record<string, string>;
  /** Whether the engine fills it, if it is new or empty, with what the image has at its path. */
  fill: boolean;
};

export interface InjectHelper {
  /**
   * A container of an image that is never run. `volume` is mounted at its path, and filled before the engine answers.
   * `undefined`: the name is taken.
   */
  create(options: {
    imageId: string;
    name?: string;
    volume?: HelperVolume;
    /** Ends the wait for the copy, which the engine goes on with. */
    signal?: AbortSignal;
  }): Promise<string | undefined>;
  /** The id of the container of that name. While the engine still creates it there is none. */
  find(name: string): Promise<string | undefined>;
  /** What its file system has at `path`. */
  kindOf(id: string, path: string): Promise<PathKind>;
  /** Bytes that what is at `path` takes on disk. All of it is read for that. */
  sizeOf(id: string, path: string): Promise<number>;
  /** Makes an empty directory that belongs to root. */
  makeDirectory(id: string, parent: string, name: string): Promise<void>;
  /** Its volume stays. */
  remove(id: string): Promise<void>;
}

export function createInjectHelper(docker: Docker): InjectHelper {
  async function find(name: string): Promise<string | undefined> {
    const found = await unlessAbsent(() =>
      engineCall(`inspect of ${name}`, (abortSignal) =>
        docker.getContainer(name).inspect({ abortSignal }),
      ),
    );
    return found?.Id;
  }

  return {
    find,
    async create({ imageId, name, volume, signal }) {
      const what = volume ? `copy of ${volume.path}` : `look into ${imageId}`;
      const body = {
        Image: imageId,
        // The engine refuses an image that has no command. It does not look whether there is such a program.
        Entrypoint: ["none"],
        Labels: { [INJECT_LABEL.helper]: "" },
        HostConfig: { NetworkMode: "none", Mounts: volume ? [mountOf(volume)] : [] },
      };
      try {
        const { id } = await engineCall(
          what,
          (deadline) => {
            const abortSignal = signal ? AbortSignal.any([deadline, signal]) : deadline;
            const named = name === undefined ? {} : { name };
            return docker.createContainer(inBody(body, { abortSignal, ...named }));
          },
          volume ? COPY_DEADLINE_MS : CALL_DEADLINE_MS,
        );
        return id;
      } catch (error) {
        if (error instanceof ServiceError && error.code === "conflict") return undefined;
        throw error;
      }
    },
    async kindOf(id, path) {
      const kind = await unlessAbsent(() =>
        engineCall(`look at ${path}`, async (abortSignal) => {
          const answer: unknown = await docker.getContainer(id).infoArchive({ path, abortSignal });
          return kindFrom(answer);
        }),
      );
      if (kind !== undefined) return kind;
      // The engine says 404 of a container that is gone as well, and one must not be taken for the other.
      if ((await find(id)) !== undefined) return "absent";
      throw new ServiceError("unavailable", `look at ${path}: the container was removed meanwhile`);
    },
    sizeOf: (id, path) =>
      engineCall(
        `size of ${path}`,
        async (abortSignal) => {
          const archive = await docker.getContainer(id).getArchive({ path, abortSignal });
          return diskBytesOf(archive as AsyncIterable<Buffer>);
        },
        COPY_DEADLINE_MS,
      ),
    async makeDirectory(id, parent, name) {
      const archive = directoryArchive([name], { uid: 0, gid: 0 });
      await engineCall(`mark of ${parent}`, (abortSignal) =>
        docker.getContainer(id).putArchive(archive, { path: parent, abortSignal }),
      );
    },
    async remove(id) {
      await unlessAbsent(() =>
        engineCall(`removal of ${id}`, (abortSignal) =>
          // The anonymous volumes of an image with VOLUME; named ones are not removed so.
          docker.getContainer(id).remove({ force: true, v: true, abortSignal }),
        ),
      );
    },
  };
}

function mountOf({ name, path, labels, fill }: HelperVolume) {
  const options = { NoCopy: !fill, Labels: labels, DriverConfig: { Name: "local", Options: {} } };
  return { Type: "volume" as const, Source: name, Target: path, VolumeOptions: options };
}

function kindFrom(answer: unknown): PathKind {
  if (!(answer instanceof IncomingMessage)) throw new Error("the engine's answer has no header");
  // An unread answer would hold its connection.
  answer.resume();
  const header = answer.headers[STAT_HEADER];
  const text = Buffer.from(String(header), "base64").toString("utf8");
  const { mode } = Stat.parse(JSON.parse(text));
  return Math.floor(mode / DIRECTORY_BIT) % 2 === 1 ? "directory" : "other";
}
