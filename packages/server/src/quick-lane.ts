import { timingSafeEqual } from "node:crypto";
import type { Server } from "node:http";
import type { Socket } from "node:net";
import { plainHeaders, plainRequestLine } from "./plain-head.ts";
import type { QuickAnswers, QuickReader } from "./quick-answers.ts";

/** The connections that `node:http` has not been given. */
export interface QuickLane {
  /** Ends them, after what has been answered. */
  close(): void;
  /** Cuts them off. */
  destroy(): void;
}

/** Reads what came on a connection: the body of the answer, or undefined where it is for the server. */
type ChunkReader = (chunk: Buffer) => string | undefined;
/** Makes an answer of a body. */
type AnswerWriter = (body: string) => { text: string; encoding: "latin1" | "utf8" };

/** A client that goes by the time that it was told is not to meet a connection that is just being closed. */
const KEEP_ALIVE_SPARE_MS = 1_000;
const MOST_HEAD_BYTES = 8 * 1024;

/**
 * Answers plain requests before `node:http`, whose objects and streams cost more than the answer. A connection stays here
 * while each chunk of it is one whole request in its simplest form, which `quick` answers. With the first one that is
 * anything else the connection is the server's for good, that chunk included: nothing is refused here, no rest of a request
 * is waited for, and no byte is read by two parsers. Silence lasts as long as the server would have it, and ends without a word; so does
 * an answer that nobody reads.
 *
 * It takes the place of the listeners for `connection`, so those of the server have to be there already.
 */
export function openQuickLane(server: Server, quick: QuickAnswers): QuickLane {
  const behind = server.listeners("connection");
  const sockets = new Set<Socket>();
  const write = createAnswerWriter(server.keepAliveTimeout);

  function serve(socket: Socket): void {
    const read = createChunkReader(quick);

    function onData(chunk: Buffer): void {
      const startedAt = performance.now();
      const body = read(chunk);
      if (body === undefined) {
        leave();
        socket.unshift(chunk);
        for (const listener of behind) Reflect.apply(listener, server, [socket]);
        return;
      }
      const { text, encoding } = write(body);
      const isTaken = socket.write(text, encoding);
      quick.observe((performance.now() - startedAt) / 1000);
      if (isTaken) return;
      // Somebody asks and does not read. The server is not given it: without a request it would soon end it with a 408.
      socket.pause().once("drain", resume);
    }
    const resume = (): void => void socket.resume();
    const onFirst = (): void =>
      void socket.setTimeout(server.keepAliveTimeout + KEEP_ALIVE_SPARE_MS);
    const onEnd = (): void => void socket.end();
    const onClose = (): void => void sockets.delete(socket);
    const destroy = (): void => void socket.destroy();

    function leave(): void {
      sockets.delete(socket);
      socket.setTimeout(0).off("timeout", destroy).off("error", destroy);
      socket.off("data", onData).off("end", onEnd).off("close", onClose);
    }

    sockets.add(socket);
    socket.setTimeout(server.headersTimeout).on("timeout", destroy).on("error", destroy);
    socket.once("data", onFirst).on("data", onData).on("end", onEnd).on("close", onClose);
  }

  server.removeAllListeners("connection").on("connection", serve);
  return {
    close() {
      for (const socket of sockets) socket.destroySoon();
    },
    destroy() {
      for (const socket of sockets) socket.destroy();
    },
  };
}

function createChunkReader(quick: QuickAnswers): ChunkReader {
  let known: { headers: Buffer; answer: QuickReader } | undefined;

  return function read(chunk) {
    if (chunk.length > MOST_HEAD_BYTES) return undefined;
    const text = chunk.toString("latin1");
    const line = plainRequestLine(text, quick.start);
    if (!line) return undefined;
    const headers = chunk.subarray(line.headersAt);
    // They hold the key, and a proxy's connection those of many: no time is to tell how much of one is right.
    if (known?.headers.length === headers.length && timingSafeEqual(known.headers, headers)) {
      return known.answer(line.target);
    }
    const fields = plainHeaders(text.slice(line.headersAt));
    const answer = fields && quick.admit(fields);
    if (!answer) return undefined;
    known = { headers: Buffer.from(headers), answer };
    return answer(line.target);
  };
}

/** Answers as `node:http` writes them: its headers in its order. */
function createAnswerWriter(keepAliveMs: number): AnswerWriter {
  const seconds = Math.floor(keepAliveMs / 1000);
  const start = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ";
  const end = `\r\nConnection: keep-alive\r\nKeep-Alive: timeout=${seconds}\r\n\r\n`;
  let [second, date] = [0, ""];

  return function write(body) {
    const now = Math.floor(Date.now() / 1000);
    if (now !== second) [second, date] = [now, new Date(now * 1000).toUTCString()];
    const length = Buffer.byteLength(body);
    const text = `${start}${length}\r\nDate: ${date}${end}${body}`;
    // What has a byte for each character is ASCII, which is faster written as Latin-1.
    return { text, encoding: length === body.length ? "latin1" : "utf8" };
  };
}
