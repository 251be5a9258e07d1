import { lookup } from "node:dns/promises";
import { isIPv6 } from "node:net";
import { ConfigError } from "@remote-runtime/server";

/**
 * What HOST means: the address that ports are published on, in the engine's words, where "" is both families; and the host at
 * which this process dials itself.
 */
export type BindAddress = { bindAddress: string; dialHost: string };

/** Throws ConfigError where HOST is no name or address of this machine. */
export async function bindAddressOf(host: string): Promise<BindAddress> {
  if (host === "0.0.0.0") return { bindAddress: host, dialHost: "127.0.0.1" };
  // This server listens on both families then; the engine takes it for IPv6 alone.
  if (host === "::") return { bindAddress: "", dialHost: "127.0.0.1" };
  try {
    const { address } = await lookup(host.replace(/^\[(.*)\]$/, "$1"));
    return { bindAddress: address, dialHost: isIPv6(address) ? `[${address}]` : address };
  } catch (error) {
    throw new ConfigError([`HOST=${host} is no address or name of this machine`], { cause: error });
  }
}
