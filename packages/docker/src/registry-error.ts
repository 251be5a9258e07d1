import {
  canonicalNames,
  familiarReference,
  RegistryAwayError,
  RegistryBusyError,
} from "@remote-runtime/image";
import { ServiceError } from "@remote-runtime/protocol";
import { engineReason, isDiskFull, statusCode } from "./engine-error.ts";

/** Answers of a registry, in words that nothing on the way to it uses. */
const ANSWERED =
  /access denied for|access to the resource is denied|unauthorized:|no basic auth|insufficient_scope|manifest unknown|name unknown|manifest for \S+ not found|no matching manifest|repository does not exist/i;
const UNREACHABLE =
  /no such host|server misbehaving|dial tcp|connection (refused|reset|lost|force closed)|GOAWAY|use of closed network connection|transport connection broken|broken pipe|network is unreachable|no route to host|timeout|timed out|deadline exceeded|stream error|TLS handshake|remote error: tls|certificate|http: server gave HTTP response|received unexpected HTTP status|parsing HTTP (408|5\d\d) response|unexpected status\b.*?[:…] (408|5\d\d)\b|bad gateway|service unavailable|internal server error/i;
/** Also what came over, but not as it was sent. */
const BROKEN_OFF =
  /\bEOF\b|verification failed for digest|unexpected end of JSON input|invalid character .* looking for|short read|failed size validation|unexpected commit digest/;
/** The number alone may as well be one of bytes. */
const BUSY =
  /toomanyrequests|too many requests|rate limit|parsing HTTP 429 response|unexpected (?:HTTP )?status\b.*?[:…] 429\b/i;
const NO_RIGHT =
  /denied|unauthorized|authentication required|no basic auth|insufficient_scope|forbidden/i;
const ABSENT = /manifest unknown|name unknown|not found|no matching manifest|does not exist/i;
/** The registry wants to know who asks, and there was nothing to tell it. */
const NO_CREDENTIAL = /no basic auth credentials/i;

/**
 * What the engine says of a registry, as an error whose message begins with `what`: RegistryAwayError when it does not
 * answer or broke off, RegistryBusyError when it wants to be asked less, `not_found` when it does not have the image or not for us (registries do not tell which), else `disk_full`, `bad_request` or
 * `unavailable`. What the image is called says nothing of it. `problem` is added to the message.
 */
export function registryError(
  what: string,
  error: unknown,
  { reference, problem = "" }: { reference: string; problem?: string | undefined },
): ServiceError {
  const reason = engineReason(error);
  const hint =
    NO_CREDENTIAL.test(reason) && problem === ""
      ? "; no credential for this registry is configured (docker login, or REGISTRY_USERNAME and REGISTRY_PASSWORD)"
      : "";
  const message = `${what}: ${reason}${problem}${hint}`;
  const options = { cause: error };
  if (isDiskFull(reason)) return new ServiceError("disk_full", message, options);
  const words = withoutNames(reason, reference);
  if (BUSY.test(words)) {
    return new RegistryBusyError(message, { ...options, wantedMs: retryAfterMs(words) });
  }
  if (!ANSWERED.test(words) && (UNREACHABLE.test(words) || BROKEN_OFF.test(words))) {
    return new RegistryAwayError(message, options);
  }
  if (statusCode(error) === 404 || ABSENT.test(words) || NO_RIGHT.test(words)) {
    return new ServiceError("not_found", message, options);
  }
  const code = statusCode(error) === 400 ? "bad_request" : "unavailable";
  return new ServiceError(code, message, options);
}

/** How long it wants to be left alone, in the words of Docker's own registry client: `retry-after: 1m2.5s`. */
function retryAfterMs(words: string): number | undefined {
  const told = /retry-after: ((?:[\d.]+(?:ns|us|µs|ms|s|m|h))+)/i.exec(words)?.[1];
  if (told === undefined) return undefined;
  const parts = told.matchAll(/([\d.]+)(ns|us|µs|ms|s|m|h)/gi);
  return parts.reduce((sum, [, count, unit = ""]) => sum + Number(count) * (UNIT_MS[unit] ?? 0), 0);
}

const UNIT_MS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
};

/** Whether the registry says that it does not let us, or not without a credential. */
export function isRefusal(error: unknown, reference: string): boolean {
  const status = statusCode(error);
  return (
    status === 401 || status === 403 || NO_RIGHT.test(withoutNames(engineReason(error), reference))
  );
}

/** Engines repeat the image's name: as it was asked for, in full or in short, without its tag, or in an address. */
function withoutNames(reason: string, reference: string): string {
  const full = canonicalNames([reference]).flatMap((name) => [
    name,
    familiarReference(name),
    name.slice(name.indexOf("/") + 1),
  ]);
  const names = [reference, ...full]
    .flatMap((name) => [name, name.replace(/(:[^/:@]*)?(@.*)?$/, "")])
    // A single word might be one of the engine's own.
    .filter((name) => /[/:@]/.test(name))
    .toSorted((a, b) => b.length - a.length);
  const addressless = reason.replace(/https?:\/\/[^\s"]+/g, "…");
  return names.reduce((text, name) => text.replaceAll(name, "…"), addressless);
}
