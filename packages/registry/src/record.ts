import { RuntimeSpec, UrlForm } from "@remote-runtime/protocol";
import { z } from "zod";
import { RuntimeId } from "./runtime-id.ts";

/** What callers want of a runtime. */
export const Desired = z.enum(["running", "paused", "stopped"]);
export type Desired = z.infer<typeof Desired>;

/** Why a runtime ended. */
export const Verdict = z.enum([
  "stopped",
  "idle",
  "max_age",
  "never_used",
  "oom",
  "exited",
  "image_unavailable",
  "disk_full",
  "create_failed",
  "boot_timeout",
  "engine_lost",
  "replica_lost",
]);
export type Verdict = z.infer<typeof Verdict>;

/** What is known of a runtime's container. Times are milliseconds since the epoch. */
export const Observed = z.discriminatedUnion("state", [
  /** No container, not waiting for anything. */
  z.object({ state: z.literal("none") }),
  /** Waits for its turn; 1 is next. */
  z.object({ state: z.literal("queued"), position: z.number().int(), reason: z.string() }),
  z.object({ state: z.literal("pulling"), progress: z.string() }),
  /** The container exists and has not been started. */
  z.object({ state: z.literal("created") }),
  /** The process runs; /alive has not answered 200 yet. */
  z.object({ state: z.literal("booting"), since: z.number() }),
  z.object({ state: z.literal("ready"), since: z.number() }),
  /** Stopped on purpose; the file system is kept. */
  z.object({ state: z.literal("paused") }),
  z.object({ state: z.literal("exited"), exitCode: z.number().int(), oomKilled: z.boolean() }),
  /** It cannot go on; `reason` is for people. */
  z.object({ state: z.literal("failed"), verdict: Verdict, reason: z.string() }),
]);
export type Observed = z.infer<typeof Observed>;

/** One line of a runtime's history. */
export const RuntimeEvent = z.object({ at: z.number(), reason: z.string(), message: z.string() });
export type RuntimeEvent = z.infer<typeof RuntimeEvent>;

/**
 * Everything a server needs in order to go on with a runtime: written before /start answers and at each change,
 * and carried whole in the container's label, so that either source alone rebuilds a replica.
 */
export const RuntimeRecord = z.object({
  id: RuntimeId,
  /** Name of the API key that started it. */
  owner: z.string(),
  sessionId: z.string(),
  /** SESSION_API_KEY in the container. */
  sessionApiKey: z.string(),
  /** OH_SECRET_KEY in the container: stable over pause and resume. */
  secretKey: z.string(),
  replicaId: z.string(),
  spec: RuntimeSpec,
  urlForm: UrlForm,
  /** The published host port of the `port` form. */
  hostPort: z.number().int().nullable(),
  /** The host that it is on, where that is not the server's own. */
  portHost: z.string().optional(),
  desired: Desired,
  observed: Observed,
  /** Set once the runtime has ended. */
  verdict: Verdict.nullable(),
  /** The public URL of the server as the caller of /start knew it; RUNTIME_URL in the container derives from it. */
  publicBase: z.string(),
  createdAt: z.number(),
  /** When it was first ready; until then a failure leaves nothing worth keeping. */
  readyAt: z.number().nullable(),
  /** Since when it is paused, or failed with its files kept. */
  restingSince: z.number().nullable(),
  endedAt: z.number().nullable(),
  restartCount: z.number().int(),
  /** The last lines that the container wrote before it failed. */
  lastLogs: z.string(),
  events: z.array(RuntimeEvent),
});
export type RuntimeRecord = z.infer<typeof RuntimeRecord>;
