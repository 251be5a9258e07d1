import type { QuickHeaders } from "./quick-answers.ts";

/** A request's first line, read from the bytes it came in. */
export type RequestLine = {
  target: string;
  /** Where the headers begin. */
  headersAt: number;
};

const METHOD = "GET ";
const VERSION = " HTTP/1.1\r\n";
const NO_TARGET = /[^!-~]/;
/** RFC 9110, 5.1 and 5.5, but for bytes above 127 and tabs; the value without the blanks around it. */
const FIELD = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+): *((?:[!-~](?:[ -~]*[!-~])?)?) *$/;
/** Everything that says where the request ends, or that its connection is to become another one. */
const UNUSUAL: ReadonlySet<string> = new Set([
  "content-length",
  "expect",
  "http2-settings",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/** Reads `GET target HTTP/1.1`, where the target begins with `start`; undefined for all else. */
export function plainRequestLine(text: string, start: string): RequestLine | undefined {
  if (!text.startsWith(METHOD) || !text.startsWith(start, METHOD.length)) return undefined;
  const end = text.indexOf(" ", METHOD.length);
  if (end === -1 || !text.startsWith(VERSION, end)) return undefined;
  const target = text.slice(METHOD.length, end);
  return NO_TARGET.test(target) ? undefined : { target, headersAt: end + VERSION.length };
}

/**
 * Reads headers, from the end of the first line to the blank line, which has to be the end of the text. Only what every
 * parser reads alike is taken: undefined where a name comes twice, for a body or any word of one, where Host is missing,
 * where the connection is not to be kept, and for everything that is no plain `Name: value`.
 */
export function plainHeaders(text: string): QuickHeaders | undefined {
  if (!text.endsWith("\r\n\r\n")) return undefined;
  const fields = new Map<string, string>();
  for (const line of text.slice(0, -4).split("\r\n")) {
    const [, name = "", value = ""] = FIELD.exec(line) ?? [];
    const key = name.toLowerCase();
    if (key === "" || fields.has(key) || UNUSUAL.has(key)) return undefined;
    fields.set(key, value);
  }
  if (!fields.get("host") || !isKept(fields.get("connection"))) return undefined;
  return { get: (name) => fields.get(name.toLowerCase()) ?? null };
}

function isKept(connection: string | undefined): boolean {
  return connection === undefined || connection.toLowerCase() === "keep-alive";
}
