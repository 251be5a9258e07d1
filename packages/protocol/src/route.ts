import { z } from "zod";
import { buildRoutes } from "./build-route.ts";
import { many, single } from "./query.ts";
import type { Route, RouteInput, RouteOutput } from "./route-shape.ts";
import { RuntimeObject } from "./runtime-object.ts";
import { StartRequest } from "./start-request.ts";

const MAX_SESSION_IDS = 5_000;
const MAX_IMAGE_CHARACTERS = 512;

const RuntimeReference = z.object({ runtime_id: z.string().nullish() });

/** `GET /sessions/batch?ids=A&ids=B`, also `ids=A,B`: always a list, one entry for each position. */
const SessionIds = z.object({ ids: many(MAX_SESSION_IDS).default([]) });

const nothing = z.object({});

/** The control plane: each endpoint with its method, path, success status, what it reads and what it answers. */
export const routes = {
  start: {
    summary: "Start a runtime for a session, or answer with the live one that the session has",
    method: "POST",
    path: "/start",
    status: 201,
    auth: true,
    params: nothing,
    query: nothing,
    body: StartRequest,
    output: RuntimeObject,
  },
  stop: {
    summary: "End a runtime and remove its files",
    method: "POST",
    path: "/stop",
    status: 200,
    auth: true,
    params: nothing,
    query: nothing,
    body: RuntimeReference,
    output: z.union([RuntimeObject, z.object({ status: z.literal("stopped") })]),
  },
  pause: {
    summary: "End the processes of a runtime and keep its files",
    method: "POST",
    path: "/pause",
    status: 200,
    auth: true,
    params: nothing,
    query: nothing,
    body: RuntimeReference,
    output: RuntimeObject,
  },
  resume: {
    summary: "Go on with a paused or failed runtime and its files",
    method: "POST",
    path: "/resume",
    status: 200,
    auth: true,
    params: nothing,
    query: nothing,
    body: RuntimeReference,
    output: RuntimeObject,
  },
  runtime: {
    summary: "One runtime",
    method: "GET",
    path: "/runtime/:runtime_id",
    status: 200,
    auth: true,
    params: z.object({ runtime_id: z.string() }),
    query: nothing,
    body: nothing,
    output: RuntimeObject,
  },
  sessionBatch: {
    summary: "The runtimes of several sessions: one entry for each id, null where there is none",
    method: "GET",
    path: "/sessions/batch",
    status: 200,
    auth: true,
    params: nothing,
    query: SessionIds,
    body: nothing,
    output: z.array(RuntimeObject.nullable()),
  },
  session: {
    summary: "The runtime of a session",
    method: "GET",
    path: "/sessions/:session_id",
    status: 200,
    auth: true,
    params: z.object({ session_id: z.string() }),
    query: nothing,
    body: nothing,
    output: RuntimeObject,
  },
  list: {
    summary: "The runtimes of this key that hold compute",
    method: "GET",
    path: "/list",
    status: 200,
    auth: true,
    params: nothing,
    query: z.object({ status: single.optional() }),
    body: nothing,
    output: z.object({ runtimes: z.array(RuntimeObject), total: z.number().int() }),
  },
  imageExists: {
    summary:
      "Whether a replica or an image registry has the image, and where a start of it would go",
    method: "GET",
    path: "/image_exists",
    status: 200,
    auth: true,
    params: nothing,
    query: z.object({ image: single.pipe(z.string().trim().min(1).max(MAX_IMAGE_CHARACTERS)) }),
    body: nothing,
    output: z.object({
      exists: z.boolean(),
      image: z.object({ upload_time: z.string(), image_size_bytes: z.number() }).nullable(),
      url: z.string(),
    }),
  },
  ...buildRoutes,
  registryPrefix: {
    summary: "The prefix of the names that clients give to images of their own",
    method: "GET",
    path: "/registry_prefix",
    status: 200,
    auth: true,
    params: nothing,
    query: nothing,
    body: nothing,
    output: z.object({ registry_prefix: z.string() }),
  },
  warmRuntimeConfigs: {
    summary: "Always empty: there are no warm runtimes",
    method: "GET",
    path: "/api/warm-runtime-configs",
    status: 200,
    auth: true,
    params: nothing,
    query: nothing,
    body: nothing,
    output: z.object({ configs: z.array(z.unknown()) }),
  },
  health: {
    summary: "Whether this server answers",
    method: "GET",
    path: "/health",
    status: 200,
    auth: false,
    params: nothing,
    query: nothing,
    body: nothing,
    output: z.object({ status: z.literal("ok"), version: z.string() }),
  },
} as const satisfies Record<string, Route>;

export type Routes = typeof routes;
export type RouteName = keyof Routes;

/** Who asks, and what the request itself says. `owner` is the name of the API key, empty where the route needs none. */
export type CallContext = {
  owner: string;
  request: Request;
  /** The key that was found right; empty where the route needs none. */
  key?: string;
  /** Why a gateway in this process sent a start here; from elsewhere it comes as a header. */
  placement?: string;
};

/** One function per endpoint; a missing one is a type error. */
export type Handlers<T extends Record<string, Route> = Routes> = {
  [K in keyof T]: (input: RouteInput<T[K]>, context: CallContext) => Promise<RouteOutput<T[K]>>;
};
