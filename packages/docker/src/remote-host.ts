import { lookup } from "node:dns/promises";
import { engineHost, type Docker } from "./create-docker.ts";
import { isLocal } from "./discover-reach.ts";

/**
 * The host of an engine on another machine, as DOCKER_HOST names it, for use in URLs: what is published is found there.
 * `undefined` for a socket, and for an address of this machine.
 */
export async function remoteHost(docker: Docker): Promise<string | undefined> {
  const host = engineHost(docker);
  if (host === undefined) return undefined;
  // A name that this resolver does not know (ssh has its own) is no name of this machine.
  const found = await lookup(host.replace(/^\[(.*)\]$/, "$1"), { all: true }).catch(() => []);
  const local = await Promise.all(found.map(({ address }) => isLocal(address)));
  return local.includes(true) ? undefined : host;
}
