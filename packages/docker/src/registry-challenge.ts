/** How a registry wants to know who asks. */
export type RegistryChallenge = { kind: "basic" } | { kind: "bearer"; realm: URL; service: string };

/** Reads a `WWW-Authenticate` header (RFC 9110; https://distribution.github.io/distribution/spec/auth/token/). Undefined: none that is known. */
export function parseChallenge(header: string | null): RegistryChallenge | undefined {
  const bearer = /\bbearer\s+(.*)/i.exec(header ?? "")?.[1];
  if (bearer === undefined) return /\bbasic\b/i.test(header ?? "") ? { kind: "basic" } : undefined;
  const words = new Map(
    Array.from(bearer.matchAll(/(\w+)="([^"]*)"/g), ([, name = "", value = ""]) => [name, value]),
  );
  const realm = URL.parse(words.get("realm") ?? "");
  return realm ? { kind: "bearer", realm, service: words.get("service") ?? "" } : undefined;
}
