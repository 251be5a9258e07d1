import { ServiceError } from "@remote-runtime/protocol";
import { pathKey, ROOT_KEY } from "./path-key.ts";

/** One entry of an archive. Its texts are bytes, each as one character. */
export type BuildEntry = { path: string; kind: EntryKind; target: string };
export type EntryKind = "file" | "folder" | "symbolic link" | "hard link";

/** The entries of one archive, as far as later ones depend on them: its links. */
export interface BuildTree {
  /**
   * Checks that whoever unpacks the entry writes below the root, and that nobody who follows it later gets out. Answers the
   * path without `./`. Throws `bad_request`, or `payload_too_large` beyond a limit.
   */
  add(entry: BuildEntry): string;
}

/** More than that no file system takes. */
const MOST_PATH_BYTES = 4096;
const MOST_DEPTH = 256;
const RELATIVE_ADVICE = "make it a relative link within the context, or leave it out";

/** `maxCrossed`: how many folders symbolic links may go into and out of again. */
export function createBuildTree({ maxCrossed }: { maxCrossed: number }): BuildTree {
  const links = new Set<number>();
  /** Where no link may be, as one that is there goes into it and out again: a link would lead that one elsewhere. */
  const crossed = new Set<number>();

  /** Keys of all that leads to where the path does, and of that itself. */
  function keysOf(
    entry: BuildEntry,
    path: string,
    what: string,
  ): { parts: string[]; keys: number[] } {
    const parts = partsOf(entry, path, what);
    if (parts.includes("..")) refuse(entry, `${what} has .. in it`);
    const keys: number[] = [];
    for (const part of parts) {
      const folder = keys.at(-1);
      if (folder !== undefined && links.has(folder)) refuse(entry, `${what} leads through a link`);
      keys.push(pathKey(folder ?? ROOT_KEY, part));
    }
    return { parts, keys };
  }

  /**
   * Goes where the target leads by its words alone. That is where it leads indeed as long as nothing is a link that it goes
   * into and out of again; what it ends in may be one.
   */
  function checkSymbolicTarget(entry: BuildEntry, folders: readonly number[]): void {
    const way = folders.map((key) => ({ key, isOwn: true }));
    for (const part of partsOf(entry, entry.target, "its target")) {
      if (part !== "..") {
        way.push({ key: pathKey(way.at(-1)?.key ?? ROOT_KEY, part), isOwn: false });
        continue;
      }
      if (way.length === 0)
        refuse(entry, `its target leads out of the context: ${RELATIVE_ADVICE}`);
      // From the end, as what is below one that is marked is marked already.
      for (let at = way.length - 1; at >= 0; at -= 1) {
        const step = way[at];
        if (!step || step.isOwn) break;
        if (links.has(step.key)) refuse(entry, "its target leads out of another link again");
        crossed.add(step.key);
        step.isOwn = true;
      }
      way.pop();
    }
    if (crossed.size > maxCrossed) {
      tooLarge(`its links go into and out of more than ${maxCrossed} folders`);
    }
  }

  return {
    add(entry) {
      const { parts, keys } = keysOf(entry, entry.path, "its path");
      const own = keys.at(-1);
      if (own === undefined && entry.kind !== "folder") refuse(entry, "has no name");
      if (entry.kind === "symbolic link" && own !== undefined) {
        if (crossed.has(own)) refuse(entry, "is a link that the target of another leads out of");
        checkSymbolicTarget(entry, keys.slice(0, -1));
        links.add(own);
      } else if (entry.kind === "hard link") {
        const linked = keysOf(entry, entry.target, "its target").keys.at(-1);
        // From another folder a relative target leads elsewhere.
        if (linked !== undefined && links.has(linked)) {
          refuse(entry, "is a hard link to a symbolic one");
        }
      }
      return parts.join("/");
    },
  };
}

function partsOf(entry: BuildEntry, path: string, what: string): string[] {
  if (path.length > MOST_PATH_BYTES) {
    tooLarge(`${named(entry)}: ${what} is longer than ${MOST_PATH_BYTES} bytes`);
  }
  if (path.startsWith("/")) {
    const advice = entry.kind === "symbolic link" ? `: ${RELATIVE_ADVICE}` : "";
    refuse(entry, `${what} is absolute${advice}`);
  }
  const parts = path.split("/").filter((part) => part !== "" && part !== ".");
  if (parts.length > MOST_DEPTH) {
    tooLarge(`${named(entry)}: ${what} has more than ${MOST_DEPTH} parts`);
  }
  return parts;
}

function named({ path }: BuildEntry): string {
  return JSON.stringify(Buffer.from(path.slice(0, 200), "latin1").toString("utf8"));
}

function refuse(entry: BuildEntry, problem: string): never {
  throw new ServiceError("bad_request", `context: ${named(entry)}: ${problem}`);
}

function tooLarge(problem: string): never {
  throw new ServiceError("payload_too_large", `context: ${problem}`);
}
