import { ServiceError } from "@remote-runtime/protocol";
import type { Pax } from "tar";

export interface ExtendedHeaders {
  /** Takes the text before an entry: records, or a long name. Answers what of it counts for a digest. */
  take(text: string): readonly string[];
  /** The entry has come for which they were; `global` is what holds for all entries. */
  end(global: Pax | undefined): void;
  /** The archive is read to its end, and so many headers with texts were met, empty ones too. */
  finish(met: number): void;
}

/** What says where an entry goes and how long it is. */
const PLACING: ReadonlySet<string> = new Set(["path", "linkpath", "size"]);
/** These the entry itself tells, or they are as little of the content as times are. */
const UNCOUNTED = new Set([...PLACING, "comment", "uid", "gid", "uname", "gname"]);
/** One reader lets them take the place of what the entry says, the other does not know them; nobody writes them. */
const OVERRULING: ReadonlySet<string> = new Set(["type", "mode"]);
const ONLY_COMMENT = /^[1-9]\d* comment=[^\n]*\n?$/;
const ADVICE = "pack it with `tar --format=gnu`, and without --sparse";

/**
 * Checks the extended headers of an archive, so that whoever unpacks it understands by them what its inspection did. All
 * throw `bad_request`.
 */
export function createExtendedHeaders(): ExtendedHeaders {
  /** Of the next entry. */
  let taken = 0;
  let takenInAll = 0;

  return {
    take(text) {
      takenInAll += 1;
      // `git archive` begins with the name of the commit, for nobody in particular.
      if (taken === 0 && ONLY_COMMENT.test(text)) return [];
      const lines = text.replace(/\n$/, "").split("\n");
      const records = lines.flatMap((line) => recordOf(line) ?? []);
      taken += 1;
      // Which of several holds is understood in several ways.
      if (taken > 1 && records.length > 0) refuse("several extended headers for one entry");
      const isPlacing = records.some(({ key }) => PLACING.has(key));
      if (isPlacing && records.length < lines.length) refuseUnclear();
      for (const { key, value, isWhole } of records) {
        if (key.startsWith("GNU.sparse.")) refuse("a sparse file");
        if (OVERRULING.has(key)) refuse(`an extended header with ${key}`);
        // Nothing, or what is no plain number, counts for one reader and not for the other.
        const isPlain = key === "size" ? /^\d+$/.test(value) : value !== "";
        if (PLACING.has(key) && !isPlain)
          refuse(`an extended header with ${JSON.stringify(`${key}=${value.slice(0, 100)}`)}`);
        if (isPlacing && !isWhole) refuseUnclear();
      }
      const counted = records.filter(({ key }) => !UNCOUNTED.has(key) && !key.endsWith("time"));
      return counted.map(({ line }) => line);
    },
    end(global) {
      taken = 0;
      const known = Object.entries(global ?? {}).filter(([, value]) => value !== undefined);
      const key = known.map(([name]) => name).find((name) => !["comment", "global"].includes(name));
      if (key !== undefined) refuse(`a global extended header, with ${key}`);
    },
    finish(met) {
      // It ends what one before it says for one reader, and nothing for the other.
      if (met > takenInAll) refuse("an extended header with nothing in it");
    },
  };
}

type HeaderRecord = { key: string; value: string; line: string; isWhole: boolean };

/** `123 key=value`, where 123 is the length in bytes with the line's end. */
function recordOf(line: string): HeaderRecord | undefined {
  const [, length = "", key = "", value = ""] = /^([+-]?\d+) ([^=]+)=([^]*)$/.exec(line) ?? [];
  if (key === "") return undefined;
  return { key, value, line, isWhole: length === String(Buffer.byteLength(line) + 1) };
}

/** One reader goes by lines, the other by lengths. */
function refuseUnclear(): never {
  refuse("an extended header whose records do not have the length that they say");
}

function refuse(what: string): never {
  throw new ServiceError("bad_request", `context: has ${what}, which cannot be used; ${ADVICE}`);
}
