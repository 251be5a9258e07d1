import { z } from "zod";
import { single } from "./query.ts";
import type { Route } from "./route-shape.ts";

const MAX_ID_CHARACTERS = 64;

const nothing = z.object({});
const BuildId = z.object({
  build_id: single.pipe(z.string().trim().min(1).max(MAX_ID_CHARACTERS)),
});

/** Clients poll on while they read one of the first two, and give up at any but `SUCCESS`. */
export const BuildStatus = z.enum([
  "QUEUED",
  "WORKING",
  "SUCCESS",
  "FAILURE",
  "INTERNAL_ERROR",
  "TIMEOUT",
  "CANCELLED",
  "EXPIRED",
]);
export type BuildStatus = z.infer<typeof BuildStatus>;

/** The parts of the form as they are documented: `context` is a gzipped tar archive, the others are what `BuildForm` reads. */
const DocumentedForm = z.object({
  context: z.string(),
  target_image: z.string(),
  tags: z.array(z.string()).optional(),
  use_cache: z.string().optional(),
});

/** Builds of images, by clients that bring their own Dockerfile. */
export const buildRoutes = {
  build: {
    summary: "Upload an archive with a Dockerfile and have it built; answers before that is done",
    method: "POST",
    path: "/build",
    status: 202,
    auth: true,
    params: nothing,
    query: nothing,
    body: nothing,
    form: DocumentedForm,
    output: z.object({ build_id: z.string(), url: z.string() }),
  },
  buildStatus: {
    summary: "How far a build is",
    method: "GET",
    path: "/build_status",
    status: 200,
    auth: true,
    params: nothing,
    query: BuildId,
    body: nothing,
    /** `error` is empty but for a build that failed. */
    output: z.object({ status: BuildStatus, image: z.string(), error: z.string() }),
  },
  buildLogs: {
    summary: "What a build has printed so far",
    method: "GET",
    path: "/build_logs",
    status: 200,
    auth: true,
    params: nothing,
    query: BuildId,
    body: nothing,
    /** `truncated`: the build printed more than is kept. */
    output: z.object({ build_id: z.string(), log: z.string(), truncated: z.boolean() }),
  },
} as const satisfies Record<string, Route>;
