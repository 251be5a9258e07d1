import { ServiceError } from "@remote-runtime/protocol";
import type { TarHeader } from "./tar-header.ts";

/** What says of the next entry where it goes and how long it is, in place of its own header. */
export type Extension = { path?: string; target?: string; sizeBytes?: number };

export interface ExtendedHeaders {
  /** Whether this header only says something of the entry after it, or of all. */
  isOne(header: TarHeader): boolean;
  /** Takes such a header with its content, as bytes. Answers what of it counts for a digest. */
  take(type: string, content: Buffer): readonly string[];
  /** The entry has come for which they were. */
  end(): Extension;
}

const KINDS: ReadonlySet<string> = new Set(["x", "g", "L", "K"]);
/** What says where an entry goes and how long it is. */
const PLACING: ReadonlySet<string> = new Set(["path", "linkpath", "size"]);
/** These the entry itself tells, or they are as little of the content as times are. */
const UNCOUNTED = new Set([...PLACING, "comment", "uid", "gid", "uname", "gname"]);
const LENGTH = /^[1-9]\d{0,6} /;
const ADVICE =
  "no usual tar writes that: pack the folder anew, with GNU tar, bsdtar or Python's tarfile";
const SPARSE_ADVICE = "pack it without --sparse";

/**
 * Reads the extended headers of an archive as the engine does, by the lengths of their records. Refuses (`bad_request`) what
 * means one thing to it and another to other readers.
 */
export function createExtendedHeaders(): ExtendedHeaders {
  let extension: Extension = {};
  /** Those of the next entry. */
  let taken = "";

  function takeRecords(records: ReadonlyMap<string, string>): readonly string[] {
    for (const [key, value] of records) {
      if (key.startsWith("GNU.sparse.")) refuse("a sparse file", SPARSE_ADVICE);
      const isPlain = key === "size" ? /^\d{1,15}$/.test(value) : value !== "";
      if (PLACING.has(key) && !isPlain) {
        refuse(`an extended header with ${JSON.stringify(`${key}=${value.slice(0, 100)}`)}`);
      }
      if (PLACING.has(key) && value.includes("\0")) refuse(`a NUL in a ${key}`);
    }
    const path = records.get("path");
    const target = records.get("linkpath");
    const size = records.get("size");
    extension = {
      ...(path === undefined ? {} : { path }),
      ...(target === undefined ? {} : { target }),
      ...(size === undefined ? {} : { sizeBytes: Number(size) }),
    };
    return [...records]
      .filter(([key]) => !UNCOUNTED.has(key) && !key.endsWith("time"))
      .map(([key, value]) => `${key}=${value}`);
  }

  return {
    isOne: ({ type }) => KINDS.has(type),
    take(type, content) {
      // Which of several holds is understood in several ways; the engine forgets them at a global one.
      if (taken !== "" && (type === "g" || type === "x" || taken.includes("x"))) {
        refuse("several extended headers for one entry");
      }
      if (taken.includes(type)) refuse("several long names for one entry");
      if (type === "g") {
        // `git archive` begins with the name of the commit. The engine takes nothing from it, others do.
        const key = [...recordsOf(content).keys()].find((name) => name !== "comment");
        if (key !== undefined) refuse(`a global extended header, with ${JSON.stringify(key)}`);
        return [];
      }
      taken += type;
      if (type === "x") return takeRecords(recordsOf(content));
      const [name = ""] = content.toString("latin1").split("\0", 1);
      if (name !== "" && type === "L") extension.path = name;
      if (name !== "" && type === "K") extension.target = name;
      return [];
    },
    end() {
      const ended = extension;
      extension = {};
      taken = "";
      return ended;
    },
  };
}

/** Records are `123 key=value` with a line's end, where 123 is the length of all that in bytes; the last of a key holds. */
function recordsOf(content: Buffer): Map<string, string> {
  const records = new Map<string, string>();
  const text = content.toString("latin1");
  for (let at = 0; at < text.length;) {
    const digits = LENGTH.exec(text.slice(at, at + 8))?.[0] ?? "";
    const record = text.slice(at + digits.length, at + Number(digits));
    const equals = record.indexOf("=");
    if (
      digits === "" ||
      at + Number(digits) > text.length ||
      !record.endsWith("\n") ||
      equals < 1
    ) {
      refuse("an extended header whose records do not have the length that they say");
    }
    records.set(record.slice(0, equals), record.slice(equals + 1, -1));
    at += Number(digits);
  }
  return records;
}

function refuse(what: string, advice = ADVICE): never {
  throw new ServiceError("bad_request", `context: has ${what}, which cannot be used; ${advice}`);
}
