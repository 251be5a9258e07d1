import type { ReplicaInfo } from "@remote-runtime/registry";
import { originOf, type Origin, type RequestHead } from "@remote-runtime/server";

/**
 * `direct`: clients reach the replicas themselves. `gateway`: they reach only this gateway, which passes bytes on.
 * `local`: the one replica is this very server.
 */
export type Routing = "direct" | "gateway" | "local";

export type BaseUrlOptions = {
  replica: Pick<ReplicaInfo, "publicUrl" | "publicPort">;
  routing: Routing;
  /** The gateway's own, if configured. */
  publicUrl: string | null;
};

/**
 * Where this request's client reaches a replica's sandboxes: at what is configured, else at the host name by which the
 * client has reached this gateway, which with direct routing it asks at the replica's own port.
 */
export function baseUrlOf(
  request: RequestHead,
  { replica, routing, publicUrl }: BaseUrlOptions,
): string {
  const { protocol, host, hostname } = knownOriginOf(request);
  switch (routing) {
    case "direct":
      return replica.publicUrl ?? `http://${hostname}:${replica.publicPort}`;
    case "gateway":
    case "local":
      return publicUrl ?? `${protocol}://${host}`;
  }
}

const NOWHERE: Origin = { protocol: "http", host: "localhost", hostname: "localhost" };
/** Of one request several questions are asked, and of one connection's thousands of requests the same one. */
const origins = new WeakMap<RequestHead, Origin>();

function knownOriginOf(request: RequestHead): Origin {
  const known = origins.get(request);
  if (known) return known;
  const origin = originOf(request, NOWHERE);
  origins.set(request, origin);
  return origin;
}
