import { isIPv6 } from "node:net";
import type { Self } from "@remote-runtime/docker";
import type { Log } from "@remote-runtime/runtime";

export type PublishedHostOptions = {
  /** This process's own container, if it is in one. */
  self: Pick<Self, "ownNetwork" | "hostAddress"> | undefined;
  /** Where this process dials itself. */
  dialHost: string;
  /** The port at which the engine's host leads to this server. */
  publicPort: number;
  /** Whether this very process answers at a URL. */
  isThisServer: (url: string) => Promise<boolean>;
  log: Pick<Log, "info">;
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
  log,
}: PublishedHostOptions): Promise<string | null> {
  if (!self?.ownNetwork) return dialHost;
  if (self.hostAddress !== undefined) {
    const host = isIPv6(self.hostAddress) ? `[${self.hostAddress}]` : self.hostAddress;
    if (await isThisServer(`http://${host}:${publicPort}`)) return host;
  }
  log.info(
    { hostAddress: self.hostAddress, publicPort },
    "ports of the engine's host cannot be dialled from here: sandboxes with a port of their own count as ready once they answer this server",
  );
  return null;
}
