import { RegistryAwayError } from "@remote-runtime/image";
import { ServiceError } from "@remote-runtime/protocol";
import { engineReason, isDiskFull, statusCode } from "./engine-error.ts";

const UNREACHABLE =
  /no such host|server misbehaving|dial tcp|connection re(fused|set)|broken pipe|network is unreachable|no route to host|timeout|deadline exceeded|TLS handshake|EOF|toomanyrequests|too many requests|rate limit|certificate|http: server gave HTTP response|received unexpected HTTP status|bad gateway|service unavailable|internal server error/i;
const NO_RIGHT =
  /denied|unauthorized|authentication required|no basic auth|insufficient_scope|forbidden/i;
const ABSENT = /manifest unknown|name unknown|not found|no matching manifest|does not exist/i;
/** The registry wants to know who asks, and there was nothing to tell it. */
const NO_CREDENTIAL = /no basic auth credentials/i;

/**
 * What the engine says of a registry, as an error whose message begins with `what`: RegistryAwayError when it does not
 * answer, `not_found` when it does not have the image or not for us (registries do not tell which), else `disk_full`, `bad_request` or
 * `unavailable`. `problem` is added to the message.
 */
export function registryError(what: string, error: unknown, problem = ""): ServiceError {
  const reason = engineReason(error);
  const hint =
    NO_CREDENTIAL.test(reason) && problem === ""
      ? "; no credential for this registry is configured (docker login, or REGISTRY_USERNAME and REGISTRY_PASSWORD)"
      : "";
  const message = `${what}: ${reason}${problem}${hint}`;
  const options = { cause: error };
  if (isDiskFull(reason)) return new ServiceError("disk_full", message, options);
  if (UNREACHABLE.test(reason)) return new RegistryAwayError(message, options);
  if (statusCode(error) === 404 || ABSENT.test(reason) || NO_RIGHT.test(reason)) {
    return new ServiceError("not_found", message, options);
  }
  const code = statusCode(error) === 400 ? "bad_request" : "unavailable";
  return new ServiceError(code, message, options);
}
