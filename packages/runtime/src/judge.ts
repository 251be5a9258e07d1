import { PULL_BACK_OFF, RegistryAwayError } from "@remote-runtime/image";
import type { ServiceError } from "@remote-runtime/protocol";
import type { Entry } from "./entry.ts";

/** Waits between tries of what may get better by itself; then the runtime fails. */
const RETRY_MS = [1_000, 4_000, 10_000, 20_000];
/** Wait before the next try of what must be done some time. */
const ENGINE_RETRY_MS = 1_000;

export type Judgement =
  /** `counts`: so many of these and no more. */
  | { kind: "wait"; ms: number; why: string; counts: boolean }
  | { kind: "fail"; verdict: "image_unavailable" | "create_failed" | "disk_full" };

/**
 * What a failed step means: wait and try again, or give up with a verdict. An engine that is away is waited for, however
 * long; what it refuses is final; a taken port, or an image that does not come, is tried a few times. Pure.
 */
export function judge({
  step,
  error,
  engineAnswers,
  failures,
}: {
  step: Entry["step"];
  error: ServiceError;
  engineAnswers: boolean;
  /** Waits that counted before this one. */
  failures: number;
}): Judgement {
  const away = isPassing(error);
  if (away && !engineAnswers) return wait("the Docker engine does not answer");
  const retry = (verdict: "image_unavailable" | "create_failed", why: string): Judgement => {
    const ms = RETRY_MS[failures];
    return ms === undefined ? { kind: "fail", verdict } : { kind: "wait", ms, why, counts: true };
  };
  const isStarting = step === "fetch" || step === "create" || step === "start";
  // Whoever found the disk full has waited for room already.
  if (isStarting && error.code === "disk_full") return { kind: "fail", verdict: "disk_full" };
  switch (step) {
    case "fetch":
      // It was tried several times already, for all that wait for this image.
      if (error instanceof RegistryAwayError) return { kind: "fail", verdict: "image_unavailable" };
      if (away) return retry("image_unavailable", `${PULL_BACK_OFF}: ${error.message}`);
      return {
        kind: "fail",
        verdict: error.code === "internal" ? "create_failed" : "image_unavailable",
      };
    case "create":
      // The image was removed since it was fetched: it is fetched again, the first time at once.
      if (error.code === "not_found") {
        if (failures === 0) return { kind: "wait", ms: 0, why: error.message, counts: true };
        return retry("image_unavailable", error.message);
      }
      return away ? wait(error.message) : { kind: "fail", verdict: "create_failed" };
    case "start":
      if (error.code === "conflict") return retry("create_failed", error.message);
      return away ? wait(error.message) : { kind: "fail", verdict: "create_failed" };
    default:
      // What reads, ends or removes a container is never given up.
      return wait(error.message);
  }
}

/** Whether the failure says that somebody did not answer, rather than that the answer was no. */
export function isPassing({ code }: ServiceError): boolean {
  return code === "unavailable" || code === "timeout";
}

function wait(why: string): Judgement {
  return { kind: "wait", ms: ENGINE_RETRY_MS, why, counts: false };
}
