import { randomUUID } from "node:crypto";
import type { HttpBindings } from "@hono/node-server";
import { errorBody, ServiceError, statusOf } from "@remote-runtime/protocol";
import { Hono } from "hono";
import { routePath } from "hono/route";
import type { Log } from "./log.ts";
import type { Metrics } from "./metrics.ts";

export type App = Hono<{ Bindings: HttpBindings }>;

export type AppOptions = {
  log: Log;
  /** Gets the duration of every request. Default: none. */
  metrics?: Metrics;
  /** Makes the id that a 500 shows and the log repeats. Default: a random UUID. */
  newRequestId?: () => string;
};

const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"] as const;

/**
 * An empty app that keeps the promises of every endpoint: doubled and trailing slashes are ignored without a redirect,
 * and each error is `{detail, error}`: 404 for an unknown path, 405 with Allow for a wrong
 * method, 400 for a broken percent-encoding, a ServiceError's own status, and 500 with a request id for anything else.
 */
export function createApp({ log, metrics, newRequestId = randomUUID }: AppOptions): App {
  const app: App = new Hono<{ Bindings: HttpBindings }>({
    getPath: (request) => pathOf(request.url),
  });

  app.use(async function observe(context, next) {
    const startedAt = performance.now();
    await next();
    const durationMs = performance.now() - startedAt;
    const { method } = context.req;
    const { status } = context.res;
    const matched = routePath(context);
    // What nobody handled ends in a middleware: unknown paths and methods stay out of the labels.
    const route = matched === "/*" ? "unmatched" : `${method} ${matched}`;
    metrics?.observeRequest({ route, status, seconds: durationMs / 1000 });
    log.debug({ method, path: shortened(context.req.path), status, durationMs }, "request");
  });

  app.use(async function rejectBrokenEncoding(context, next) {
    if (isBrokenEncoding(context.req.url)) {
      throw new ServiceError("bad_request", "the URL has a broken percent-encoding");
    }
    await next();
  });

  app.onError((error, context) => {
    const { method } = context.req;
    const path = shortened(context.req.path);
    if (error instanceof ServiceError) {
      const level = levelOf(error);
      if (level !== undefined) log[level]({ err: error, method, path }, "request failed");
      return errorResponse(error);
    }
    const requestId = newRequestId();
    log.error({ err: error, requestId, method, path }, "request failed unexpectedly");
    const message = `internal error; the server's log has the cause under request id ${requestId}`;
    return errorResponse(new ServiceError("internal", message, { cause: error }), {
      "X-Request-Id": requestId,
    });
  });

  app.notFound((context) => {
    const { method } = context.req;
    const path = shortened(context.req.path);
    const allowed = methodsOf(app, context.req.path);
    if (allowed.length === 0) {
      return errorResponse(new ServiceError("not_found", `no endpoint ${method} ${path}`));
    }
    const message = `${path} takes ${allowed.join(" or ")}, not ${method}`;
    return errorResponse(new ServiceError("method_not_allowed", message), {
      Allow: allowed.join(", "),
    });
  });

  return app;
}

/** Seconds. What is full is so for the length of an upload, or of a build. */
const RETRY_AFTER = "10";

/** The answer for an error: its status and the body that all clients read. */
export function errorResponse(error: ServiceError, headers: Record<string, string> = {}): Response {
  return new Response(JSON.stringify(errorBody(error.message)), {
    status: statusOf(error.code),
    headers: {
      "Content-Type": "application/json",
      ...(error.code === "too_many_requests" ? { "Retry-After": RETRY_AFTER } : {}),
      ...headers,
    },
  });
}

/** What callers get wrong is theirs to know; what others get wrong is worth a line here. */
function levelOf({ code }: ServiceError): "warn" | "error" | undefined {
  if (code === "internal") return "error";
  return statusOf(code) >= 500 ? "warn" : undefined;
}

/** The path as it was sent, still percent-encoded: a slash inside an id must not part it. */
function pathOf(url: string): string {
  const start = url.indexOf("/", url.indexOf("://") + 3);
  const end = url.slice(start).search(/[?#]/);
  const path = end === -1 ? url.slice(start) : url.slice(start, start + end);
  const single = path.includes("//") ? path.replace(/\/{2,}/g, "/") : path;
  return single.length > 1 && single.endsWith("/") ? single.slice(0, -1) : single;
}

function isBrokenEncoding(url: string): boolean {
  if (!url.includes("%")) return false;
  try {
    decodeURIComponent(url);
    return false;
  } catch {
    // Its only error is URIError: a stray % or bytes that are not UTF-8.
    return true;
  }
}

/** The methods that some endpoint at this path takes. Middleware is registered for ALL and does not count. */
function methodsOf(app: App, path: string): string[] {
  return METHODS.filter((method) => {
    const [handlers] = app.router.match(method === "HEAD" ? "GET" : method, path);
    return handlers.some(([[, route]]) => route.method !== "ALL");
  });
}

function shortened(path: string): string {
  return path.length <= 100 ? path : `${path.slice(0, 100)}…`;
}
