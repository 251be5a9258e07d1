import type { RuntimeObject } from "@remote-runtime/protocol";
import type { Observed, RuntimeRecord } from "@remote-runtime/registry";
import { SANDBOX_PORT } from "./engine.ts";
import { runtimeUrl, workHosts, type PublicAddress } from "./url.ts";

type Status = RuntimeObject["status"];

/**
 * A runtime in the words of the API. `truthful` is for /list: there the older clients' early `running` is not given.
 * Only this file knows the wire's words.
 */
export function viewOf(
  record: RuntimeRecord,
  address: PublicAddress,
  { truthful = false } = {},
): RuntimeObject {
  const status = statusOf(record);
  return {
    runtime_id: record.id,
    id: record.id,
    session_id: record.sessionId,
    url: runtimeUrl(record, address),
    session_api_key: record.sessionApiKey,
    status: status === "starting" && !truthful && saysRunningEarly(record) ? "running" : status,
    status_detail: detailOf(record),
    pod_status: podStatusOf(record, status),
    work_hosts: workHosts(record, address),
    restart_count: record.restartCount,
    restart_reasons: [],
    container_statuses: [
      {
        name: record.id,
        ready: status === "running",
        // What is on its way to its end or to rest is not told as what it still is.
        state: status === "starting" || status === "error" ? record.observed.state : status,
      },
    ],
    events: record.events.map(({ at, reason, message }) => ({
      timestamp: new Date(at).toISOString(),
      reason,
      message,
    })),
    pod_logs: record.lastLogs,
    image: record.spec.image,
    created_at: new Date(record.createdAt).toISOString(),
    verdict: record.verdict,
  };
}

/** Whether it holds compute, or is about to: what /list shows. */
export function holdsCompute(record: RuntimeRecord): boolean {
  const status = statusOf(record);
  return status === "starting" || status === "running";
}

/** Whether /start of the same session gets this runtime again, rather than a new one. */
export function isLive(record: RuntimeRecord): boolean {
  const status = statusOf(record);
  return status === "starting" || status === "running" || status === "paused";
}

function statusOf({ desired, observed }: RuntimeRecord): Status {
  if (desired === "stopped") return "stopped";
  if (observed.state === "failed") return "error";
  if (desired === "paused") return "paused";
  // One whose process has ended is an error only with its verdict and its log: clients read them once.
  return observed.state === "ready" ? "running" : "starting";
}

/** V0 and SkyRL attach only to `running`; their readiness comes from `pod_status`. */
function saysRunningEarly({ spec }: RuntimeRecord): boolean {
  return spec.dialect === "v0" || spec.dialect === "v0-old" || spec.dialect === "skyrl";
}

function podStatusOf(record: RuntimeRecord, status: Status): string {
  const word = podWord(record, status);
  if (record.spec.dialect !== "skyrl") return word;
  // SkyRL takes `running`, in lower case, for ready.
  return word === "Ready" ? "running" : word.toLowerCase();
}

function podWord(record: RuntimeRecord, status: Status): string {
  switch (status) {
    case "running":
      return "Ready";
    case "starting":
      return "Pending";
    case "paused":
    case "stopped":
      return "Not Found";
    case "error":
      return record.verdict === "oom" ? "CrashLoopBackOff" : "Failed";
  }
}

function detailOf(record: RuntimeRecord): string | null {
  const { desired, observed, verdict } = record;
  if (desired === "stopped")
    return verdict === null || verdict === "stopped" ? null : `stopped: ${verdict}`;
  if (desired === "paused" && observed.state !== "failed") return null;
  return hindranceOf(record) ?? describe(observed);
}

/** Why the last try of a step between two states failed, until one has succeeded. */
function hindranceOf({ observed, events }: RuntimeRecord): string | null {
  const last = events.at(-1);
  if (last?.reason !== "Retry") return null;
  return ["none", "created", "paused", "exited"].includes(observed.state) ? last.message : null;
}

function describe(observed: Observed): string | null {
  switch (observed.state) {
    case "queued":
      return `queued at position ${observed.position}: ${observed.reason}`;
    case "pulling":
      return `pulling the image: ${observed.progress}`;
    case "created":
      return "the container is starting";
    case "booting":
      return `the container runs; waiting for GET /alive on its port ${SANDBOX_PORT.agent} to answer 200`;
    case "exited":
      return observed.oomKilled
        ? "the container was killed for lack of memory (OOMKilled); start it with a larger resource_factor"
        : `the command ended with exit code ${observed.exitCode}`;
    case "failed":
      return observed.reason;
    case "none":
    case "ready":
    case "paused":
      return null;
  }
}
