import { createSocket } from "node:dgram";
import { isIPv6 } from "node:net";
import { ServiceError } from "@remote-runtime/protocol";
import { engineHost, type Docker } from "./create-docker.ts";
import { engineCall } from "./engine-call.ts";
import { statusCode } from "./engine-error.ts";
import type { Self } from "./inspect-self.ts";
import { ensureNetwork } from "./network.ts";
import type { Reach } from "./reach.ts";

export type DiscoverReachOptions = {
  /** Name of the sandbox network; made if it is missing. */
  network: string;
  /** This process's own container, from `inspectSelf`. */
  self: Self | undefined;
  /** As `remoteHost` has it. Default: the engine is on this machine. */
  remoteHost?: string | undefined;
  /** Takes this kind without looking. */
  override?: Reach["kind"] | undefined;
};

/**
 * How this process can dial sandboxes. In a container of the same engine: `network`, after joining the sandbox network. On
 * the engine's host: `bridge`. Else `published`. The sandbox network exists afterwards, with its containers kept apart
 * unless this process is in it. `bad_request` when `override` asks for what cannot be.
 */
export async function discoverReach(
  docker: Docker,
  { network, self, remoteHost, override }: DiscoverReachOptions,
): Promise<Reach> {
  const joins = override === "network" || (override === undefined && self?.ownNetwork === true);
  const { id, gateway } = await ensureNetwork(docker, network, { isolated: !joins });
  if (joins) {
    if (!self?.ownNetwork) {
      throw new ServiceError(
        "bad_request",
        "reach `network` needs this process to be in a container of the engine, with a network of its own",
      );
    }
    await join(docker, id, self.containerId);
    return { kind: "network" };
  }
  // Engines choose from the same addresses: this machine's may well have a bridge like that of one elsewhere.
  const mayBeHere = override === undefined && remoteHost === undefined && gateway !== undefined;
  if (override === "bridge" || (mayBeHere && (await isLocal(gateway)))) return { kind: "bridge" };
  const host = engineHost(docker);
  if (host === undefined || isLoopback(host))
    return { kind: "published", dialHost: "127.0.0.1", bindAddress: "127.0.0.1" };
  // A remote engine's loopback is out of reach.
  return { kind: "published", dialHost: host, bindAddress: "0.0.0.0" };
}

async function join(docker: Docker, networkId: string, containerId: string): Promise<void> {
  try {
    await engineCall("joining the sandbox network", () =>
      docker.getNetwork(networkId).connect({ Container: containerId }),
    );
  } catch (error) {
    // An earlier life of this container joined.
    const there =
      error instanceof ServiceError &&
      statusCode(error.cause) === 403 &&
      /already exists/.test(error.message);
    if (!there) throw error;
  }
}

/**
 * Whether an address is one of this machine's own. Asked by binding, as the list of interfaces leaves out a bridge that has
 * no container yet.
 */
export function isLocal(address: string): Promise<boolean> {
  const socket = createSocket(isIPv6(address) ? "udp6" : "udp4");
  return new Promise((resolve) => {
    // Any reason not to bind means that it is not ours to dial from.
    socket.once("error", () => {
      socket.close();
      resolve(false);
    });
    socket.bind({ port: 0, address, exclusive: true }, () => {
      socket.close();
      resolve(true);
    });
  });
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || host === "[::1]" || host.startsWith("127.");
}
