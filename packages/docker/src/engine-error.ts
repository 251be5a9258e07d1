import { ServiceError, type ErrorCode } from "@remote-runtime/protocol";
import { z } from "zod";

const PORT_TAKEN = /port is already allocated|address already in use|ports are not available/i;
const DISK_FULL = /no space left on device|disk quota exceeded/i;
/** Answers of an engine that is itself cut off from what runs containers, or about to stop. */
const ENGINE_AWAY =
  /containerd\.sock|daemon is shutting down|context (canceled|deadline exceeded)/i;

/** What the engine (or the way to it) threw, as a ServiceError that begins with `what`, e.g. `start of abc…`. */
export function engineError(what: string, error: unknown): ServiceError {
  if (error instanceof ServiceError) return error;
  if (error instanceof z.ZodError) {
    return new ServiceError("bad_request", `${what}: the engine's answer cannot be read`, {
      cause: error,
    });
  }
  const status = statusCode(error);
  const reason = engineReason(error);
  const code = status === undefined ? "unavailable" : codeOf(status, reason);
  const message =
    status === undefined
      ? `${what}: the Docker engine does not answer (${reason})`
      : `${what}: ${plain(reason)}`;
  return new ServiceError(code, message, { cause: error });
}

/** The HTTP status of the engine's answer; `undefined` when there was none. */
export function statusCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !("statusCode" in error)) return undefined;
  return typeof error.statusCode === "number" ? error.statusCode : undefined;
}

/** The engine's own words. */
export function engineReason(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const json: unknown = "json" in error ? error.json : undefined;
  if (
    typeof json === "object" &&
    json !== null &&
    "message" in json &&
    typeof json.message === "string"
  ) {
    return json.message.trim();
  }
  return error.message.replace(/^\(HTTP code \d+\) [^-]*- /, "").trim();
}

/** Whether these are the words of an engine that cannot write any more. */
export function isDiskFull(reason: string): boolean {
  return DISK_FULL.test(reason);
}

function codeOf(status: number, reason: string): ErrorCode {
  if (isDiskFull(reason)) return "disk_full";
  if (PORT_TAKEN.test(reason)) return "conflict";
  if (status === 404) return "not_found";
  if (status === 409)
    return /marked for removal|removal .* in progress/i.test(reason) ? "not_found" : "conflict";
  if (status === 503 || ENGINE_AWAY.test(reason)) return "unavailable";
  return "bad_request";
}

/** Says "port" where the engine does not, and leaves out the layers that a message came through. */
function plain(reason: string): string {
  if (PORT_TAKEN.test(reason)) return `the host port is in use (${reason})`;
  return reason.replace(/^.*unable to start container process: /s, "").replace(/: unknown$/, "");
}
