import { isDialFailure } from "@remote-runtime/client";
import { ServiceError, statusOf } from "@remote-runtime/protocol";
import { ExitError, exitCodes } from "./exit-error.ts";

/** Whether the server could not be reached or did not answer in time, rather than said no. */
export function isUnreachable(error: unknown): boolean {
  if (isDialFailure(error) || connectionAdvice(error) !== undefined) return true;
  return error instanceof ServiceError && error.code === "timeout";
}

/** Whether the same call may go well a moment later. */
export function mayPass(error: unknown): boolean {
  return isUnreachable(error) || (error instanceof ServiceError && statusOf(error.code) >= 500);
}

/** Any thrown value as what the user reads, with what to do about it where that is known. */
export function explain(error: unknown): ExitError {
  if (error instanceof ExitError) return error;
  if (!(error instanceof Error)) return new ExitError(exitCodes.failed, String(error));
  const code = isUnreachable(error) ? exitCodes.unreachable : exitCodes.failed;
  const advice = adviceFor(error);
  // The server speaks of its API, the user has this command.
  const text = error.message.replace("; GET /replicas tells", "; `remote-runtime replicas` tells");
  return new ExitError(code, advice === undefined ? text : `${text}; ${advice}`, { cause: error });
}

function adviceFor(error: Error): string | undefined {
  if (isDialFailure(error)) return "is it running? --url names another server";
  if (!(error instanceof ServiceError)) return undefined;
  if (error.code === "unauthorized") return "set SANDBOX_API_KEY, or give --api-key";
  // A gateway and a standalone server have all endpoints that are asked for here; a replica lacks the operators'.
  if (error.code === "not_found" && error.message.startsWith("no endpoint")) {
    return "is --url that of a replica? This needs the URL of a gateway, or of a standalone server";
  }
  if (error.code === "not_found" && error.message.endsWith("answered with status 404")) {
    return "is it a gateway, or a standalone server?";
  }
  return connectionAdvice(error);
}

/** What was dialled is there, but no HTTP came about with it. */
function connectionAdvice(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const code = "code" in error ? String(error.code) : "";
  if (error.message === "bad port") return "no HTTP client may use this port";
  if (/^(ERR_SSL_|EPROTO)/.test(code)) return "does it speak http:// rather than https://?";
  if (/CERT|SELF_SIGNED|ALTNAME/.test(code)) {
    return "its certificate is not trusted; NODE_EXTRA_CA_CERTS names a file of authorities to trust";
  }
  if (code.startsWith("HPE_")) return "does it speak https:// rather than http://?";
  return connectionAdvice(error.cause);
}
