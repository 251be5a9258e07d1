import { dialectOf } from "./dialect.ts";
import type { RuntimeSpec } from "./spec.ts";
import type { StartRequest } from "./start-request.ts";

const MIN_RESOURCE_FACTOR = 0.1;
const MAX_RESOURCE_FACTOR = 64;

/** What is asked for, in one shape for all clients. `resource_factor` is clamped to 0.1 … 64, never refused. */
export function specOf(request: StartRequest): RuntimeSpec {
  return {
    image: request.image,
    dialect: dialectOf(request),
    command: request.command ?? null,
    workingDir: request.working_dir ?? null,
    environment: request.environment ?? {},
    resourceFactor: Math.min(
      Math.max(request.resource_factor ?? 1, MIN_RESOURCE_FACTOR),
      MAX_RESOURCE_FACTOR,
    ),
    runtimeClass: request.runtime_class ?? null,
    runAsUser: request.run_as_user ?? null,
    runAsGroup: request.run_as_group ?? null,
    fsGroup: request.fs_group ?? null,
    imagePullPolicy: request.image_pull_policy ?? "IfNotPresent",
    idleTimeoutSeconds: request.idle_timeout ?? null,
    maxAgeSeconds: request.max_age ?? null,
    inject: request.inject ?? null,
  };
}

/** The caller's name for the runtime; some callers send none, or under the old name. */
export function sessionIdOf(request: StartRequest, newId: () => string): string {
  return request.session_id ?? request.runtime_id ?? newId();
}
