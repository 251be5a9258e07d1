import {
  type Route,
  type RouteInput,
  type RouteOutput,
  type CallContext,
} from "@remote-runtime/protocol";
import type { HttpBindings } from "@hono/node-server";
import type { App } from "./app.ts";
import { authenticate } from "./authenticate.ts";
import { readJsonBody } from "./body.ts";
import { parseInput } from "./input.ts";
import type { Keyring } from "./keyring.ts";
import { limitUnread } from "./limit-unread.ts";

export type MountOptions = {
  keyring: Keyring;
  /** Larger JSON bodies get 413. Default 4 MiB: a command and an environment of 1 MiB each fit, escaped. */
  bodyLimitBytes?: number;
  /** A body that has not arrived by then gets 400. Default 30 s. */
  bodyTimeoutMs?: number;
  /** A stream, or another long answer, of which nothing is taken for so long is broken off, within twice that time. Default 30 s. */
  unreadTimeoutMs?: number;
};

/** What a route's handler answers: its output, or the output's JSON text as a stream, which is sent as fast as it is read. */
export type RouteAnswer<R extends Route> = RouteOutput<R> | ReadableStream<Uint8Array>;

/** `Handlers`, any of which may answer with a stream. What breaks off after its first part can only break the answer off. */
export type StreamingHandlers<T extends Record<string, Route>> = {
  [K in keyof T]: (input: RouteInput<T[K]>, context: CallContext) => Promise<RouteAnswer<T[K]>>;
};

/**
 * Mounts a route table on an app of `createApp`: the key is checked first, then params, query (a list of values for each
 * name) and body are parsed once, and what the handler answers is sent as JSON with the route's status.
 */
export function mountRoutes<T extends Record<string, Route>>(
  app: App,
  routes: T,
  handlers: StreamingHandlers<T>,
  options: MountOptions,
): void {
  const { keyring, bodyLimitBytes = 4 * 1024 * 1024, bodyTimeoutMs = 30_000 } = options;
  const { unreadTimeoutMs = 30_000 } = options;
  const body = { limitBytes: bodyLimitBytes, timeoutMs: bodyTimeoutMs };
  const mountOne = <K extends keyof T>(name: K): void =>
    mountRoute(app, routes[name], handlers[name], { keyring, body, unreadTimeoutMs });
  for (const name of Object.keys(routes)) mountOne(name);
}

/** What is shorter waits in the system's buffers, for nobody here. */
const LONG_CHARACTERS = 64 * 1024;

type RouteLimits = {
  keyring: Keyring;
  body: { limitBytes: number; timeoutMs: number };
  unreadTimeoutMs: number;
};

function mountRoute<R extends Route>(
  app: App,
  route: R,
  handle: (input: RouteInput<R>, context: CallContext) => Promise<RouteAnswer<R>>,
  { keyring, body, unreadTimeoutMs }: RouteLimits,
): void {
  app.on(route.method, route.path, async function serveRoute(context) {
    const request = context.req.raw;
    const caller = route.auth ? authenticate(request.headers, keyring) : { owner: "", key: "" };
    const params = parseInput<R["params"]>(route.params, context.req.param());
    const query = parseInput<R["query"]>(route.query, context.req.queries());
    const isJson = route.method !== "GET" && route.form === undefined;
    const sent = isJson ? await readJsonBody(request, body) : {};
    const input = { params, query, body: parseInput<R["body"]>(route.body, sent) };
    const answer = await handle(input, { ...caller, request });
    const content = answer instanceof ReadableStream ? answer : JSON.stringify(answer);
    const isLong = content instanceof ReadableStream || content.length > LONG_CHARACTERS;
    // A request that was made within this process has no connection.
    const { outgoing }: Partial<HttpBindings> = context.env ?? {};
    if (isLong && outgoing) limitUnread(outgoing, unreadTimeoutMs);
    return new Response(content, {
      status: route.status,
      headers: { "Content-Type": "application/json" },
    });
  });
}
