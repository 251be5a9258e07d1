import { isIPv6 } from "node:net";
import type { Self } from "@remote-runtime/docker";

export type PublishedHostOptions = {
  /** This process's own container, if it is in one. */
  self: Pick<Self, "ownNetwork" | "hostAddress"> | undefined;
  /** Where this process dials itself. */
  dialHost: string;
  /** The port at which the engine's host leads to this server. */
  publicPort: number;
  /** Whether this very process answers at a URL. */
  isThisServer: (url: string) => Promise<boolean>;
};

/**
 * The host at which this process can dial the ports that sandboxes have of their own; `null`: at none. In a container that is
 * the engine's host, if this server finds itself there by its own published port: a firewall may be in between, and then a
 * sandbox would never seem ready. To be asked once the server listens.
 */
export async function findPublishedHost({
  self,
  dialHost,
  publicPort,
  isThisServer,
}: PublishedHostOptions): Promise<string | null> {
  if (!self?.ownNetwork) return dialHost;
  const { hostAddress } = self;
  if (hostAddress === undefined) return null;
  const host = isIPv6(hostAddress) ? `[${hostAddress}]` : hostAddress;
  return (await isThisServer(`http://${host}:${publicPort}`)) ? host : null;
}
