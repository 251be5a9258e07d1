import {
  adminRoutes,
  type AdminRoutes,
  replicaRoutes,
  type ReplicaRoutes,
  type Route,
  ServiceError,
} from "@remote-runtime/protocol";
import type { z } from "zod";
import { isDialFailure } from "./dial-failure.ts";
import { serviceErrorOf } from "./response-error.ts";
import { buildUrl } from "./url.ts";

export type ClientOptions = {
  /** With or without trailing slash. */
  baseUrl: string;
  /** Sent as X-API-Key. Default: none, for the routes that need none or with the header given to `call`. */
  apiKey?: string;
  /** Default: the platform's. */
  fetch?: typeof fetch;
};

export type CallOptions = {
  /** Aborts the call, which then throws the signal's reason. */
  signal?: AbortSignal;
  /** For the whole call, answer included. Default 10 s. */
  timeoutMs?: number;
  /** Sent as well; they win over the client's own. */
  headers?: Readonly<Record<string, string>>;
};

/** What a route takes. A part that it does not need can be left out; a list in the query is a repeated name. */
export type CallInput<R extends Route> = Part<"params", z.output<R["params"]>> &
  Part<"query", z.output<R["query"]>> &
  Part<"body", z.input<R["body"]>>;

export type CallOutput<R extends Route> = z.output<R["output"]>;

type Part<K extends string, T> =
  Record<never, never> extends T ? { [P in K]?: T } : { [P in K]: T };

/** Every endpoint that can be called, of the control plane, of the operators and between servers; no name stands in two tables. */
export type CallRoutes = ReplicaRoutes & AdminRoutes;

export interface Client {
  /**
   * Calls one endpoint and parses its answer. Throws ServiceError: the server's own code and `detail` for an error
   * status, `unavailable` when it could not be dialled (`isDialFailure` tells that from a 503), `timeout` after
   * `timeoutMs`, and `bad_gateway` for an answer that breaks off or is not what the route promises.
   */
  call<N extends keyof CallRoutes>(
    name: N,
    input: CallInput<CallRoutes[N]>,
    options?: CallOptions,
  ): Promise<CallOutput<CallRoutes[N]>>;
  /** The same call, whose answer stays the bytes that it came as: whether it is what the route promises is for the caller to see. */
  bytes<N extends keyof CallRoutes>(
    name: N,
    input: CallInput<CallRoutes[N]>,
    options?: CallOptions,
  ): Promise<Uint8Array>;
}

const callRoutes: CallRoutes = { ...replicaRoutes, ...adminRoutes };

type AnyInput = { params?: object; query?: object; body?: unknown };

/** A client of the runtime API at one server. It keeps no state but the platform's pool of connections, and never retries. */
export function createClient({ baseUrl, apiKey, fetch: send = fetch }: ClientOptions): Client {
  const base = baseUrl.replace(/\/+$/, "");

  const request = async (
    route: Route,
    input: AnyInput,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<Response> => {
    const response = await send(buildUrl(base, route.path, input), {
      method: route.method,
      headers: {
        Accept: "application/json",
        ...(apiKey === undefined ? {} : { "X-API-Key": apiKey }),
        ...(route.method === "GET" ? {} : { "Content-Type": "application/json" }),
        ...headers,
      },
      ...(route.method === "GET" ? {} : { body: JSON.stringify(input.body ?? {}) }),
      // The API never redirects; to follow one would send the key elsewhere.
      redirect: "manual",
      signal,
    });
    if (!response.ok) throw serviceErrorOf(response.status, await response.text(), base);
    return response;
  };

  const ask = <T>(
    route: Route,
    input: AnyInput,
    read: (response: Response) => Promise<T>,
    { signal, timeoutMs = 10_000, headers = {} }: CallOptions,
  ): Promise<T> => {
    const what = whatOf(route, base);
    return withDeadline(async (inner) => read(await request(route, input, headers, inner)), {
      what,
      timeoutMs,
      signal,
    });
  };

  return {
    bytes: (name, input, options = {}) =>
      ask(
        callRoutes[name],
        input,
        async (response) => new Uint8Array(await response.arrayBuffer()),
        options,
      ),
    async call(name, input, options = {}) {
      const route: Route = callRoutes[name];
      const answer = await ask<unknown>(route, input, (response) => response.json(), options);
      const parsed = route.output.safeParse(answer);
      if (!parsed.success) {
        throw new ServiceError(
          "bad_gateway",
          `${whatOf(route, base)} answered something else than promised`,
          {
            cause: parsed.error,
          },
        );
      }
      // The schema is the one that the type is derived from; TypeScript cannot follow it through the union of routes.
      return parsed.data as CallOutput<CallRoutes[typeof name]>;
    },
  };
}

function whatOf({ method, path }: Route, base: string): string {
  return `${method} ${path} at ${base}`;
}

/** Runs `work` under a signal that ends at the deadline or with the caller's, and says what went wrong with it. */
async function withDeadline<T>(
  work: (signal: AbortSignal) => Promise<T>,
  { what, timeoutMs, signal }: { what: string; timeoutMs: number; signal: AbortSignal | undefined },
): Promise<T> {
  signal?.throwIfAborted();
  const controller = new AbortController();
  const onAbort = (): void => controller.abort(signal?.reason);
  const timer = setTimeout(() => {
    controller.abort(new ServiceError("timeout", `${what} took longer than ${timeoutMs} ms`));
  }, timeoutMs);
  signal?.addEventListener("abort", onAbort, { once: true });
  try {
    return await work(controller.signal);
  } catch (error) {
    if (controller.signal.aborted) throw controller.signal.reason;
    if (error instanceof ServiceError) throw error;
    if (isDialFailure(error)) {
      throw new ServiceError("unavailable", `${what}: cannot connect`, { cause: error });
    }
    throw new ServiceError("bad_gateway", `${what}: no valid answer`, { cause: error });
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", onAbort);
  }
}
