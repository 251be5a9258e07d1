import {
  createDocker,
  createDockerEngine,
  discoverReach,
  engineAddress,
  inspectSelf,
  pingEngine,
  remoteHost,
  type Docker,
  type DockerEngine,
  type Reach,
  type Self,
} from "@remote-runtime/docker";
import type { EngineDescription } from "@remote-runtime/runtime";
import type { Log } from "@remote-runtime/server";
import { bindAddressOf } from "./bind-address.ts";
import type { SandboxConfig } from "./config.ts";
import { credentialSourceOf } from "./registry-setting.ts";
import { waitForEngine } from "./wait-for-engine.ts";

/** A replica's engine, and how the two reach each other. */
export type ConnectedEngine = {
  docker: Docker;
  engine: DockerEngine;
  description: EngineDescription;
  /** The container that this process runs in, if it does. */
  self: Self | undefined;
  /** Where this server is reached on its own host. */
  dialHost: string;
  reach: Reach["kind"];
  /** The host of an engine on another machine, where published ports are found; for use in URLs. */
  remoteHost: string | undefined;
};

export type ConnectEngineOptions = {
  config: SandboxConfig;
  host: string;
  log: Log;
  /** Ends the wait for an engine that does not answer yet. */
  signal: AbortSignal;
};

/** Waits for the engine, and finds out how its sandboxes are dialled. */
export async function connectEngine(options: ConnectEngineOptions): Promise<ConnectedEngine> {
  const { config, host, log, signal } = options;
  const docker = createDocker();
  const waiting = { address: engineAddress(docker), log, signal };
  await waitForEngine(() => pingEngine(docker), waiting);
  const sandboxNetwork = config.SANDBOX_NETWORK;
  const { bindAddress, dialHost } = await bindAddressOf(host);
  const before = await inspectSelf(docker, { sandboxNetwork });
  const remote = before?.ownNetwork ? undefined : await remoteHost(docker);
  const reach = await discoverReach(docker, {
    network: sandboxNetwork,
    self: before,
    remoteHost: remote,
    override: config.SANDBOX_REACH === "auto" ? undefined : config.SANDBOX_REACH,
  });
  // Only now: a container that joins a network may get other host ports from the engine.
  const self = await inspectSelf(docker, { sandboxNetwork });
  const engine = createDockerEngine({
    docker,
    reach,
    network: sandboxNetwork,
    // HOST is about this machine, or this container; clients come to the engine's.
    publishAddress: self?.ownNetwork || remote !== undefined ? "" : bindAddress,
    credentials: credentialSourceOf(config),
    log,
  });
  const description = await engine.describe();
  return { docker, engine, description, self, dialHost, reach: reach.kind, remoteHost: remote };
}
