import { createReadStream } from "node:fs";
import { mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { extract } from "tar";
import { fileError } from "./file-error.ts";

/** What an image is built from: a folder with a Dockerfile, or a gzipped tar archive of one. */
export type ContextFile = { kind: "folder" | "archive"; path: string };

/** Build contexts of many images; what was unpacked for them goes with this object. */
export interface Contexts extends AsyncDisposable {
  /** The context of an image, given its canonical reference and what stood in the list. */
  find(image: string, line: string): ContextFile | undefined;
  /** All of it, if that is a context itself. */
  readonly whole: ContextFile | undefined;
}

const ARCHIVE = /\.(tar\.gz|tgz)$/;
const DOCKERFILE = "Dockerfile";
const ADVICE =
  "--build takes a folder that has a folder or a .tar.gz for each image to build, or a .tar or .tar.gz of such a folder";

/**
 * The contexts in a folder, or in an archive of one. One belongs to the image whose line in the list it is named after
 * (`django__django-11099`), or the last part of whose name (`sweb.eval.x86_64.django_1776_django-11099`), with `_TAG` behind
 * it for any tag but latest. Throws ExitError for what is neither.
 */
export async function openContexts(path: string, signal: AbortSignal): Promise<Contexts> {
  const what = `cannot read the build contexts in ${JSON.stringify(path)}`;
  try {
    if ((await stat(path)).isDirectory()) return await contextsIn(path, async () => undefined);
    return await unpacked(path, signal);
  } catch (error) {
    signal.throwIfAborted();
    throw fileError(error, { what, advice: ADVICE });
  }
}

async function unpacked(path: string, signal: AbortSignal): Promise<Contexts> {
  const folder = await mkdtemp(join(tmpdir(), "remote-runtime-contexts-"));
  const remove = (): Promise<void> => rm(folder, { recursive: true, force: true });
  try {
    // What is odd about it is an error: a context that lacks a file would be built all the same.
    await pipeline(createReadStream(path), extract({ cwd: folder, strict: true }), { signal });
    const [only, ...others] = await readdir(folder);
    const inner = join(folder, only ?? "");
    // Most archives of a folder have the folder itself in them.
    const isWrapped = others.length === 0 && (await stat(inner)).isDirectory();
    return await contextsIn(folder, remove, isWrapped ? inner : undefined);
  } catch (error) {
    await remove();
    throw error;
  }
}

async function contextsIn(
  folder: string,
  remove: () => Promise<void>,
  inner?: string,
): Promise<Contexts> {
  const found = new Map<string, ContextFile>();
  let whole: ContextFile | undefined;
  for (const each of inner === undefined ? [folder] : [inner, folder]) {
    for (const entry of await readdir(each, { withFileTypes: true })) {
      const path = join(each, entry.name);
      if (entry.isDirectory()) found.set(entry.name, { kind: "folder", path });
      else if (entry.name === DOCKERFILE) whole = { kind: "folder", path: each };
      else if (ARCHIVE.test(entry.name)) {
        found.set(entry.name.replace(ARCHIVE, ""), { kind: "archive", path });
      }
    }
  }
  return {
    find: (image, line) => found.get(line) ?? found.get(fileNameOf(image)),
    whole,
    [Symbol.asyncDispose]: remove,
  };
}

/** The name of a context that goes by its image, given as a canonical reference: `tool`, or `tool_v2` for the tag `v2`. */
export function fileNameOf(image: string): string {
  const last = image.slice(image.lastIndexOf("/") + 1);
  const [name = "", tag = ""] = last.split(":");
  return tag === "" || tag === "latest" ? name : `${name}_${tag}`;
}
