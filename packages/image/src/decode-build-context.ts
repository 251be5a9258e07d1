import { ServiceError } from "@remote-runtime/protocol";

const GZIP = [0x1f, 0x8b];

/**
 * The gzipped archive in an upload, which clients send as base64 text (V0, SkyRL) or as it is. Blanks and line breaks in the
 * text are skipped. Throws `bad_request` for anything else.
 */
export async function* decodeBuildContext(
  source: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  let form: "unknown" | "raw" | "text" = "unknown";
  let rest = "";
  let hasEnded = false;
  for await (const chunk of source) {
    if (chunk.byteLength === 0) continue;
    // No base64 text begins with that byte.
    if (form === "unknown") form = chunk[0] === GZIP[0] ? "raw" : "text";
    if (form === "raw") {
      yield chunk;
      continue;
    }
    const text =
      rest +
      Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
        .toString("latin1")
        .replace(/[\r\n\t ]+/g, "");
    if (hasEnded && text !== "") throw notBase64();
    const whole = text.length - (text.length % 4);
    rest = text.slice(whole);
    const part = text.slice(0, whole);
    if (!/^[A-Za-z0-9+/]*={0,2}$/.test(part)) throw notBase64();
    hasEnded = part.endsWith("=");
    if (part !== "") yield Buffer.from(part, "base64");
  }
  if (rest !== "") throw notBase64();
}

/** How many bytes of an archive are in so many that are sent, of which the first are these. Pure. */
export function decodedContextBytes(sentBytes: number, first: Uint8Array): number {
  return first[0] === GZIP[0] ? sentBytes : Math.ceil((sentBytes * 3) / 4);
}

function notBase64(): ServiceError {
  return new ServiceError("bad_request", "context: is neither gzip nor base64 text");
}
