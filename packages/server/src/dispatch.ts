import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { getRequestListener, type HttpBindings, RequestError } from "@hono/node-server";
import { ServiceError } from "@remote-runtime/protocol";
import { errorResponse } from "./app.ts";
import type { Log } from "./log.ts";
import { answerQuickly, type QuickAnswers } from "./quick-answers.ts";
import { answerError, answerErrorOnSocket } from "./raw-answer.ts";

/** The second plane: requests whose bytes go to a sandbox, past the app. `Target` is whatever `match` finds out. */
export interface SandboxPlane<Target> {
  /** Whether a request is for a sandbox. It is asked for every request and reads the head only. */
  match(request: IncomingMessage): Target | undefined;
  /** Owns the answer. With `Expect: 100-continue` nothing has been written yet: `response.writeContinue()` is its to call. */
  handle(request: IncomingMessage, response: ServerResponse, target: Target): void | Promise<void>;
  /** Owns the socket, whose errors are already taken care of. */
  upgrade(
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    target: Target,
  ): void | Promise<void>;
}

/** The app's `fetch`. */
export type Fetch = (request: Request, env: HttpBindings) => Response | Promise<Response>;

export type DispatchOptions<Target> = {
  fetch: Fetch;
  quick?: QuickAnswers | undefined;
  sandbox: SandboxPlane<Target> | undefined;
  log: Log;
};

export interface Dispatch {
  /** `expectsContinue`: the client waits with the body until it is told to go on. */
  request(request: IncomingMessage, response: ServerResponse, expectsContinue: boolean): void;
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
}

/** Gives each request to the sandbox plane or to the app, and answers what neither could. */
export function createDispatch<Target>({
  fetch,
  quick,
  sandbox,
  log,
}: DispatchOptions<Target>): Dispatch {
  // This server speaks HTTP/1 only; the adapter's type allows for HTTP/2 as well.
  const fetchApp = (request: Request, env: unknown) => fetch(request, env as HttpBindings);
  const serveApp = getRequestListener(fetchApp, {
    hostname: "localhost",
    errorHandler: (error) => responseToAdapterError(error, log),
  });

  return {
    request(request, response, expectsContinue) {
      run(
        () => {
          if (lacksHost(request)) {
            throw new ServiceError("bad_request", "the request has no Host header");
          }
          if (quick && answerQuickly(quick, request, response)) return undefined;
          const target = sandbox?.match(request);
          if (sandbox !== undefined && target !== undefined) {
            return sandbox.handle(request, response, target);
          }
          if (hasDotSegment(request.url ?? "")) {
            throw new ServiceError("bad_request", "the path has a . or .. in it");
          }
          if (expectsContinue) response.writeContinue();
          return serveApp(request, response);
        },
        (error) => answerError(response, shown(error, request, log)),
      );
    },

    upgrade(request, socket, head) {
      // An "error" event without a listener would end the process; "close" follows it.
      socket.on("error", () => socket.destroy());
      run(
        () => {
          const target = sandbox?.match(request);
          if (sandbox !== undefined && target !== undefined) {
            return sandbox.upgrade(request, socket, head, target);
          }
          throw new ServiceError("not_found", "no websocket here");
        },
        (error) => answerErrorOnSocket(socket, shown(error, request, log)),
      );
    },
  };
}

/** Calls `work`, which may be asynchronous or not, and gives what it throws to `onError`. */
function run(work: () => void | Promise<void>, onError: (error: unknown) => void): void {
  try {
    work()?.catch(onError);
  } catch (error) {
    onError(error);
  }
}

/** What the caller may see of an error; what it may not is logged. */
function shown(error: unknown, request: IncomingMessage, log: Log): ServiceError {
  const serviceError = ServiceError.from(error);
  if (serviceError.code === "internal") {
    const { method, url } = request;
    log.error({ err: error, method, path: url?.slice(0, 200) }, "request failed unexpectedly");
  }
  return serviceError;
}

/** The adapter throws RequestError for a Host or a URL that it cannot read, and passes on what the app's fetch threw. */
function responseToAdapterError(error: unknown, log: Log): Response {
  if (error instanceof RequestError) {
    return errorResponse(new ServiceError("bad_request", error.message, { cause: error }));
  }
  log.error({ err: error }, "request failed unexpectedly");
  return errorResponse(ServiceError.from(error));
}

/** RFC 9112, 3.2. Before HTTP/1.1 there was none. */
function lacksHost({ headers, httpVersion }: IncomingMessage): boolean {
  return headers.host === undefined && httpVersion === "1.1";
}

/** Building a URL would resolve such segments, and one endpoint would silently become another. */
function hasDotSegment(url: string): boolean {
  return /^[^?#]*\/(\.|%2e){1,2}([/?#]|$)/i.test(url);
}
