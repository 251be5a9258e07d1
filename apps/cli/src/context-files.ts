import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { fileError } from "./file-error.ts";

/** What an image is built from: a folder with a Dockerfile, or a gzipped tar archive of one. */
export type ContextFile = { kind: "folder" | "archive"; path: string };

/** Finds the context of an image, given its canonical reference and what stood in the list. */
export type ContextFinder = (image: string, line: string) => ContextFile | undefined;

const ARCHIVE = /\.(tar\.gz|tgz)$/;

/**
 * The contexts in a folder. One belongs to the image whose line in the list it is named after (`django__django-11099`), or
 * the last part of whose name (`sweb.eval.x86_64.django_1776_django-11099`), with `_TAG` behind it for any tag but latest.
 */
export async function readContextFiles(folder: string): Promise<ContextFinder> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
    throw fileError(error, {
      what: `cannot read the build contexts in ${JSON.stringify(folder)}`,
      advice: "--build takes a folder that has a folder or a .tar.gz for each image to build",
    });
  });
  const found = new Map<string, ContextFile>();
  for (const entry of entries) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) found.set(entry.name, { kind: "folder", path });
    else if (ARCHIVE.test(entry.name)) {
      found.set(entry.name.replace(ARCHIVE, ""), { kind: "archive", path });
    }
  }
  return (image, line) => found.get(line) ?? found.get(fileNameOf(image));
}

function fileNameOf(image: string): string {
  const last = image.slice(image.lastIndexOf("/") + 1);
  const [name = "", tag = ""] = last.split(":");
  return tag === "" || tag === "latest" ? name : `${name}_${tag}`;
}
