import { Agent as HttpAgent } from "node:http";
import { Agent as HttpsAgent } from "node:https";
import { inspect } from "node:util";
import Dockerode from "dockerode";

/** A connection to a Docker engine. Made by `createDocker` only. */
export type Docker = Dockerode;

/** Calls wait for a connection beyond this many; event streams and pulls hold one each. */
const MOST_CONNECTIONS = 256;
/** Idle connections are closed after this time, before something between us and a remote engine forgets them. */
const IDLE_CONNECTION_MS = 30_000;

/**
 * The engine that DOCKER_HOST (with DOCKER_TLS_VERIFY and DOCKER_CERT_PATH) names, as for Docker's own client; default: the
 * local socket. `socketPath` overrides. Nothing is connected before the first call; connections are kept and used again.
 */
export function createDocker({ socketPath }: { socketPath?: string } = {}): Docker {
  // An explicit empty host makes the socket win over a DOCKER_HOST.
  const docker = new Dockerode(
    socketPath === undefined ? {} : { socketPath, host: "", protocol: "http" },
  );
  // The protocol is known only after the environment was read, and neither property is in the published types.
  const protocol: unknown = Reflect.get(docker.modem, "protocol");
  if (protocol === "http" || protocol === "https") {
    Reflect.set(docker.modem, "agent", createAgent(protocol));
  }
  return docker;
}

function createAgent(protocol: "http" | "https"): HttpAgent {
  const options = {
    keepAlive: true,
    maxSockets: MOST_CONNECTIONS,
    maxFreeSockets: 32,
    timeout: IDLE_CONNECTION_MS,
  };
  const agent = protocol === "http" ? new HttpAgent(options) : new HttpsAgent(options);
  // docker-modem writes out the options of each request for a debug log, whether or not anyone reads it: with an agent
  // among them, every open socket and all that hangs on it, which takes longer than the call itself.
  return Object.assign(agent, { [inspect.custom]: () => "[agent]" });
}

/** Where the engine is looked for, in words for people. */
export function engineAddress(docker: Docker): string {
  const [host, port, socketPath] = ["host", "port", "socketPath"].map((name): unknown =>
    Reflect.get(docker.modem, name),
  );
  if (typeof host === "string" && host !== "")
    return typeof port === "string" && port !== "" ? `${host}:${port}` : host;
  // Without a DOCKER_HOST the client finds the socket out at each call.
  return typeof socketPath === "string" ? socketPath : "the local socket";
}

/** The host name of an engine that is reached over TCP; `undefined` for a socket. */
export function engineHost(docker: Docker): string | undefined {
  const host: unknown = Reflect.get(docker.modem, "host");
  return typeof host === "string" && host !== "" ? host : undefined;
}
