import type { Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { HttpBindings } from "@hono/node-server";
import { RESPONSE_ALREADY_SENT } from "@hono/node-server/utils/response";

/**
 * Answers 200 with a long body past the app. The head goes out at once. A source that fails breaks the connection off, so
 * that its reader does not take what came for all there is; `gone` aborts when the connection has ended. `onEnd` is called
 * once in any case, with the error if there was one.
 */
export function streamAnswer(
  { outgoing }: HttpBindings,
  source: (gone: AbortSignal) => AsyncIterable<Uint8Array>,
  {
    type,
    headers = {},
    onEnd,
  }: {
    type: string;
    headers?: Readonly<Record<string, string>>;
    onEnd: (error?: unknown) => void;
  },
): Response {
  const gone = new AbortController();
  // A source that waits for something is not ended by the pipeline.
  outgoing.once("close", () => gone.abort());
  outgoing.writeHead(200, { "Content-Type": type, ...headers });
  outgoing.flushHeaders();
  // Of HTTP/1.1 and 2 alike: the types have no common ground but this one.
  const writable: Writable = outgoing;
  pipeline(source(gone.signal), writable).then(() => onEnd(), onEnd);
  return RESPONSE_ALREADY_SENT;
}
