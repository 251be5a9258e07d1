import { isIPv6 } from "node:net";
import { setTimeout as wait } from "node:timers/promises";
import type { Self } from "@remote-runtime/docker";
import type { Log } from "@remote-runtime/runtime";

/** The first answer may be late on a machine that starts everything at once. */
const TRIES = 3;
const RETRY_MS = 300;

export type PublishedHostOptions = {
  /** This process's own container, if it is in one. */
  self: Pick<Self, "ownNetwork" | "hostAddress"> | undefined;
  /** The host of an engine on another machine, for use in URLs. */
  remoteHost: string | undefined;
  /** Where this process dials itself. */
  dialHost: string;
  /** The port at which the engine's host leads to this server. */
  publicPort: number;
  /** Whether this very process answers at a URL. */
  isThisServer: (url: string) => Promise<boolean>;
  log: Pick<Log, "info">;
  /** Default 300 ms. */
  retryMs?: number;
};

/**
 * The host at which this process can dial the ports that sandboxes have of their own; `null`: at none. In a container that is
 * the engine's host, if this server finds itself there by its own published port: a firewall may be in between, and then a
 * sandbox would never seem ready. To be asked once the server listens; ends within about 4 s.
 */
export async function findPublishedHost(options: PublishedHostOptions): Promise<string | null> {
  const { self, remoteHost, dialHost, publicPort, isThisServer, log } = options;
  if (!self?.ownNetwork) return remoteHost ?? dialHost;
  if (self.hostAddress !== undefined) {
    const host = isIPv6(self.hostAddress) ? `[${self.hostAddress}]` : self.hostAddress;
    for (let tries = 1; tries <= TRIES; tries += 1) {
      if (await isThisServer(`http://${host}:${publicPort}`)) return host;
      if (tries < TRIES) await wait(options.retryMs ?? RETRY_MS);
    }
  }
  log.info(
    { hostAddress: self.hostAddress, publicPort },
    "ports of the engine's host cannot be dialled from here: sandboxes with a port of their own count as ready once they answer this server",
  );
  return null;
}
