import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { isIPv6 } from "node:net";
import type { Duplex } from "node:stream";
import { bind } from "./bind.ts";
import { createDispatch, type Fetch, type SandboxPlane } from "./dispatch.ts";
import { LINGER, lingerOnClose, type LingerLimits } from "./linger.ts";
import type { Log } from "./log.ts";
import type { QuickAnswers } from "./quick-answers.ts";
import { openQuickLane, type QuickLane } from "./quick-lane.ts";
import { answerBadRequest } from "./raw-answer.ts";

export type ListenOptions<Target> = {
  /** The app's `fetch`. */
  fetch: Fetch;
  /** Asked first. Default: nothing is answered that way. */
  quick?: QuickAnswers | undefined;
  /** Default: every request is the app's. */
  sandbox?: SandboxPlane<Target>;
  /** A name or an address; IPv6 with or without brackets. */
  host: string;
  /** 0: a free one. */
  port: number;
  /** Closes the server when it aborts. */
  signal: AbortSignal;
  log: Log;
  /** How long requests may go on after a close before their sockets are destroyed. Default 5 s. */
  graceMs?: number;
  /** How long, and how much of it, the rest of a request is read after its answer. Default 5 s, 256 MiB. */
  linger?: LingerLimits;
};

export interface Listening {
  /** For this machine: a wildcard host reads as the loopback address. No trailing slash. */
  readonly url: string;
  readonly port: number;
  /** Stops accepting, lets requests finish within the grace, destroys the rest. Calling it again waits for the same end. */
  close(): Promise<void>;
}

const HEADERS_TIMEOUT_MS = 60_000;
/** Above the 60 s of the usual balancers, so that it is never this side that closes first. */
const KEEP_ALIVE_TIMEOUT_MS = 75_000;
const TCP_PROBE_MS = 30_000;
/** Batch look-ups put hundreds of session ids into one URL. */
const MAX_HEADER_BYTES = 64 * 1024;

/** Serves the app and the sandboxes on one port. Throws ConfigError when host or port cannot be had. */
export async function listen<Target = never>({
  fetch,
  quick,
  sandbox,
  host,
  port: wantedPort,
  signal,
  log,
  graceMs = 5_000,
  linger = LINGER,
}: ListenOptions<Target>): Promise<Listening> {
  signal.throwIfAborted();
  const server = createServer({
    headersTimeout: HEADERS_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    maxHeaderSize: MAX_HEADER_BYTES,
    // Bytes of a sandbox stream for hours; the app's own bodies have a deadline in mountRoutes.
    requestTimeout: 0,
    // A websocket can be silent for hours: probes find the peers that are gone, and keep tables of routers alive.
    keepAlive: true,
    keepAliveInitialDelay: TCP_PROBE_MS,
    // Node would answer with no body at all.
    requireHostHeader: false,
    shouldUpgradeCallback: (request) => !isHttp2Offer(request) && !hasBody(request),
  });
  // Above its default of 2000 Node would drop headers without a word; their size is limited anyway.
  server.maxHeadersCount = 0;
  // These stand before the dispatch: an answer may be written before the next listener is called.
  refuseBrokenRequests(server);
  lingerOnClose(server, linger);
  const lane = quick && openQuickLane(server, quick);
  const close = createClose(server, { graceMs, lane });
  const dispatch = createDispatch({ fetch, quick, sandbox, log });
  server.on("request", (request, response) => dispatch.request(request, response, false));
  server.on("checkContinue", (request, response) => dispatch.request(request, response, true));
  server.on("upgrade", (request, socket, head) => dispatch.upgrade(request, socket, head));

  const { port } = await bind(server, { host: withoutBrackets(host), port: wantedPort });
  server.on("error", (error) => log.error({ err: error }, "server failed"));

  const onAbort = (): void => void close();
  signal.addEventListener("abort", onAbort, { once: true });
  server.once("close", () => signal.removeEventListener("abort", onAbort));
  if (signal.aborted) onAbort();

  return { url: urlOf(host, port), port, close };
}

/** Follows the server's connections from now on, in order to end it without cutting off an answer. */
function createClose(
  server: Server,
  { graceMs, lane }: { graceMs: number; lane: QuickLane | undefined },
): () => Promise<void> {
  // The server forgets an upgraded socket, yet waits for its end.
  const upgraded = new Set<Duplex>();
  let closing: Promise<void> | undefined;

  server.on("upgrade", (_request, socket) => {
    upgraded.add(socket);
    socket.once("close", () => upgraded.delete(socket));
  });
  onAnswer(server, (response) => {
    if (closing !== undefined) response.setHeader("Connection", "close");
    response.once("close", () => {
      // Only after this event does the connection count as idle.
      if (closing !== undefined) setImmediate(() => server.closeIdleConnections());
    });
  });

  const closeNow = async (): Promise<void> => {
    const closed = Promise.withResolvers<void>();
    server.close(() => closed.resolve());
    lane?.close();
    const timer = setTimeout(() => {
      server.closeAllConnections();
      lane?.destroy();
      for (const socket of upgraded) socket.destroy();
    }, graceMs);
    await closed.promise;
    clearTimeout(timer);
  };
  return () => (closing ??= closeNow());
}

/** Answers what is no HTTP request, unless that would write into another request's answer on the same connection. */
function refuseBrokenRequests(server: Server): void {
  const answering = new WeakSet<Duplex>();
  onAnswer(server, (response) => {
    const { socket } = response;
    if (socket === null) return;
    answering.add(socket);
    response.once("close", () => answering.delete(socket));
  });
  server.on("clientError", (error, socket) =>
    answerBadRequest(socket, error, answering.has(socket)),
  );
}

/** Node announces a request that waits for "100 Continue" by an event of its own. */
function onAnswer(server: Server, listener: (response: ServerResponse) => void): void {
  server.on("request", (_request, response) => listener(response));
  server.on("checkContinue", (_request, response) => listener(response));
}

/** Some clients make it with every request; it is declined by an ordinary answer. */
function isHttp2Offer({ headers }: IncomingMessage): boolean {
  return headers.upgrade?.trim().toLowerCase() === "h2c";
}

/** An upgrade would leave the body unread on the socket: such a request is an ordinary one (RFC 9110, 7.8). */
function hasBody({ headers }: IncomingMessage): boolean {
  return headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0;
}

function withoutBrackets(host: string): string {
  return host.replace(/^\[(.*)\]$/, "$1");
}

function urlOf(host: string, port: number): string {
  const name = withoutBrackets(host);
  if (name === "0.0.0.0" || name === "::") return `http://127.0.0.1:${port}`;
  return `http://${isIPv6(name) ? `[${name}]` : name}:${port}`;
}
