import type { InjectEngine, PathKind } from "@remote-runtime/image";
import { ServiceError } from "@remote-runtime/protocol";
import { z } from "zod";
import { createBoundedMap } from "./bounded-map.ts";
import { INJECT_LABEL } from "./container-label.ts";
import type { Docker } from "./create-docker.ts";
import { engineCall } from "./engine-call.ts";
import { createInjectHelper } from "./inject-helper.ts";
import { makeVolume, removeVolume, volumeAge, volumeNameOf } from "./inject-volume.ts";

const MOST_ANSWERS = 4096;
/** No look takes so long; a copy that does holds a name that is not listed before it has ended. */
const LEFT_BEHIND_SECONDS = 3600;

const Labels = z.object({ [INJECT_LABEL.path]: z.string(), [INJECT_LABEL.image]: z.string() });
const Listed = z.object({ Name: z.string(), Labels });

export type DockerInjectOptions = {
  docker: Docker;
  /** Servers with the same one share their volumes, and remove none of others. */
  scope: string;
  /** Aborts when the process is about to end: a copy is not waited for any longer. */
  signal: AbortSignal;
  /** Milliseconds since the epoch. Default: the system's clock. */
  now?: () => number;
};

/** Injection on the engine behind `docker`. */
export function createDockerInject(options: DockerInjectOptions): InjectEngine {
  const { docker, scope, signal, now = Date.now } = options;
  const helper = createInjectHelper(docker);
  const kinds = createBoundedMap<string, Promise<PathKind>>(MOST_ANSWERS);
  const sizes = createBoundedMap<string, Promise<number>>(MOST_ANSWERS);
  /** Those that this process has seen whole, by name: when they were made. */
  const whole = createBoundedMap<string, string>(MOST_ANSWERS);

  async function look<T>(imageId: string, into: (id: string) => Promise<T>): Promise<T> {
    const id = await helper.create({ imageId });
    // The engine names it, which is never a name that is taken.
    if (id === undefined) throw new ServiceError("unavailable", `look into ${imageId}: no name`);
    try {
      return await into(id);
    } finally {
      // Nobody waits for it; what stays behind is removed by clean().
      helper.remove(id).catch(() => undefined);
    }
  }

  return {
    pathKind({ path, imageId }) {
      const key = `${imageId} ${path}`;
      const known = kinds.get(key) ?? look(imageId, (id) => helper.kindOf(id, path));
      kinds.set(key, known);
      // A failure is not an answer: the next one asks again.
      known.catch(() => kinds.delete(key));
      return known;
    },
    sizeOf({ path, imageId }) {
      const key = `${imageId} ${path}`;
      const known = sizes.get(key) ?? look(imageId, (id) => helper.sizeOf(id, path));
      sizes.set(key, known);
      known.catch(() => sizes.delete(key));
      return known;
    },
    async ensureVolume(source, inRoom) {
      const name = volumeNameOf(source, scope);
      const age = await volumeAge(docker, name);
      if (age !== undefined && age === whole.get(name)) return name;
      await makeVolume(source, { docker, helper, scope, signal, now, inRoom });
      const made = await volumeAge(docker, name);
      if (made) whole.set(name, made);
      return name;
    },
    async volumes() {
      const filters = { label: [`${INJECT_LABEL.scope}=${scope}`] };
      const { Volumes } = await engineCall("list of volumes", (abortSignal) =>
        docker.listVolumes({ filters, abortSignal }),
      );
      // Older engines say null of none.
      return (Volumes ?? []).flatMap((volume) => {
        const listed = Listed.safeParse(volume);
        if (!listed.success) return [];
        const { Name: name, Labels: labels } = listed.data;
        const [path, imageId] = [labels[INJECT_LABEL.path], labels[INJECT_LABEL.image]];
        return name === volumeNameOf({ path, imageId }, scope) ? [{ name, path, imageId }] : [];
      });
    },
    removeVolume: (name) => removeVolume(docker, name),
    async clean() {
      const filters = { label: [INJECT_LABEL.helper] };
      const left = await engineCall("list of helpers", (abortSignal) =>
        docker.listContainers({ all: true, filters, abortSignal }),
      );
      const oldest = now() / 1000 - LEFT_BEHIND_SECONDS;
      for (const { Id, Created } of left) if (Created < oldest) await helper.remove(Id);
    },
  };
}
