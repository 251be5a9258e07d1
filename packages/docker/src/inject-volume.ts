import { createHash } from "node:crypto";
import { setTimeout as wait } from "node:timers/promises";
import type { InjectSource, InRoom } from "@remote-runtime/image";
import { ServiceError } from "@remote-runtime/protocol";
import { INJECT_LABEL } from "./container-label.ts";
import type { Docker } from "./create-docker.ts";
import { engineCall } from "./engine-call.ts";
import type { InjectHelper } from "./inject-helper.ts";
import { unlessAbsent } from "./unless-absent.ts";

/** In the volume itself, so that nothing which may be pruned or lost beside it has to say that its copy was ended. */
const MARK = ".openhands-injected";
const MAKE_DEADLINE_MS = 20 * 60_000;
const POLL_MS = 200;
/** A copy is marked at once, so whoever left one unmarked for so long is dead. */
const ABANDONED_MS = 10_000;

export type VolumeMaker = {
  docker: Docker;
  helper: InjectHelper;
  scope: string;
  /** Aborts when the process is about to end. */
  signal: AbortSignal;
  /** Milliseconds, from any beginning. */
  now: () => number;
  inRoom: InRoom;
};

/** By its source and scope alone, so that every process there finds and makes the same one. */
export function volumeNameOf({ path, imageId }: InjectSource, scope: string): string {
  const hash = createHash("sha256").update(`${imageId} ${path} ${scope}`).digest("hex");
  return `openhands-inject-${hash.slice(0, 24)}`;
}

/** When the engine made the volume; `undefined`: there is none. */
export async function volumeAge(docker: Docker, name: string): Promise<string | undefined> {
  const found = await unlessAbsent(() =>
    engineCall(`inspect of volume ${name}`, (abortSignal) =>
      docker.getVolume(name).inspect({ abortSignal }),
    ),
  );
  // One that the engine made for a container that asked for it by name is not ours, and empty.
  if (found && found.Labels?.[INJECT_LABEL.path] === undefined) return "";
  return found && String(Reflect.get(found, "CreatedAt"));
}

/** Whether it is gone now: one that a container has is left. */
export async function removeVolume(docker: Docker, name: string): Promise<boolean> {
  try {
    await unlessAbsent(() =>
      engineCall(`removal of volume ${name}`, (abortSignal) =>
        docker.getVolume(name).remove({ abortSignal }),
      ),
    );
    return true;
  } catch (error) {
    if (error instanceof ServiceError && error.code === "conflict") return false;
    throw error;
  }
}

/**
 * Makes the volume of a source, unless it is there and whole. A helper container of the volume's name is the lock, between
 * processes too: the engine gives that name to one at a time, and holds it from the beginning of the copy. The copy itself
 * is the engine's, which fills a new volume from the image before it answers the creation.
 */
export async function makeVolume(source: InjectSource, maker: VolumeMaker): Promise<void> {
  const deadline = maker.now() + MAKE_DEADLINE_MS;
  const name = volumeNameOf(source, maker.scope);
  let other: { id: string; since: number } | undefined;
  while (maker.now() < deadline) {
    const outcome = await attempt(name, source, maker);
    if (outcome === "whole") return;
    if (outcome === "again") continue;
    const id = await maker.helper.find(name);
    if (id !== other?.id) other = id === undefined ? undefined : { id, since: maker.now() };
    if (other && maker.now() - other.since > ABANDONED_MS) await maker.helper.remove(other.id);
    await wait(POLL_MS, undefined, { signal: maker.signal });
  }
  throw new ServiceError("unavailable", `the copy of ${source.path} did not end in 20 minutes`);
}

/** Half a copy takes room and is of no use. One that the engine goes on with stays, and is found unmarked by whoever is next. */
async function orRemove<T>(docker: Docker, name: string, copy: () => Promise<T>): Promise<T> {
  try {
    return await copy();
  } catch (error) {
    await removeVolume(docker, name).catch(() => undefined);
    throw error;
  }
}

async function attempt(
  name: string,
  source: InjectSource,
  { docker, helper, scope, signal, inRoom }: VolumeMaker,
): Promise<"whole" | "again" | "taken"> {
  const { path, imageId } = source;
  const age = await volumeAge(docker, name);
  const labels = {
    [INJECT_LABEL.path]: path,
    [INJECT_LABEL.image]: imageId,
    [INJECT_LABEL.scope]: scope,
  };
  const fill = age === undefined;
  const mount = () =>
    helper.create({ imageId, name, volume: { name, path, labels, fill }, signal });
  // While it was waited for room somebody else may have made it, or left a part of it.
  const fillUnlessThere = async (): Promise<string | undefined> =>
    (await volumeAge(docker, name)) === undefined ? orRemove(docker, name, mount) : "there";
  const id = fill ? await inRoom(fillUnlessThere) : await mount();
  if (id === "there") return "again";
  if (id === undefined) return "taken";
  try {
    const isMarked = (await helper.kindOf(id, `${path}/${MARK}`)) === "directory";
    if (isMarked && age !== "") return "whole";
    if (fill) {
      await helper.makeDirectory(id, path, MARK);
      return "whole";
    }
  } finally {
    await helper.remove(id);
  }
  if (await removeVolume(docker, name)) return "again";
  throw new ServiceError("unavailable", `volume ${name} is not whole, and a container has it`);
}
