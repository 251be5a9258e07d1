import { RegistryAwayError } from "@remote-runtime/image";
import { ServiceError, type ErrorCode } from "@remote-runtime/protocol";
import { isDiskFull } from "./engine-error.ts";
import { registryError } from "./registry-error.ts";

/** What the Dockerfile calls things: commands, paths, addresses. */
const QUOTED = /"(?:[^"\\]|\\.)*"/gs;
/** The build's own, whatever words of it follow. A step that was killed for want of memory ended with 137. */
const OWN =
  /^dockerfile parse error|did not complete successfully: exit code: \d+(: cannot allocate memory)?$/i;
const BASE_IMAGE = /failed to resolve source metadata for (\S+): (.*)$/s;
/** `ADD` of an address, at a server that may answer later. */
const ADDRESS_AWAY =
  /invalid response status (408|429|5\d\d)|couldn't connect to server|could not resolve host/i;
const ENGINE_BROKEN =
  /rpc error: code = (Unavailable|Internal|Aborted|Canceled|DeadlineExceeded|ResourceExhausted)|context (canceled|deadline exceeded)|error reading from server|transport is closing|no active session|containerd\.sock|daemon is shutting down|read-only file system|input\/output error|structure needs cleaning|too many open files|cannot allocate memory|failed to create (shim|task)/i;

/**
 * What BuildKit says of a build that has failed: `disk_full` or `unavailable` where another try may do better, as the engine
 * or who it needs is at fault, else `bad_request`. What the Dockerfile calls things says nothing of that.
 */
export function buildError(what: string, reason: string): ServiceError {
  return new ServiceError(codeOf(reason), `${what}: ${reason}`);
}

function codeOf(reason: string): ErrorCode {
  const words = reason.trim().replace(QUOTED, "…");
  if (OWN.test(words)) return "bad_request";
  const [, image, answer] = BASE_IMAGE.exec(reason.trim()) ?? [];
  // A registry's words stand in quotes as well; where it is asked for nothing, no name is to be left out.
  const said = answer ?? words;
  if (isDiskFull(answer === undefined ? words : answer.replace(QUOTED, "…"))) return "disk_full";
  const isAway =
    registryError("", new Error(said), { reference: image ?? "scratch" }) instanceof
    RegistryAwayError;
  return isAway || ADDRESS_AWAY.test(words) || ENGINE_BROKEN.test(words)
    ? "unavailable"
    : "bad_request";
}
