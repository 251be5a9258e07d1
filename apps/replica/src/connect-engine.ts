import { createDocker, engineAddress, pingEngine, type Docker } from "@remote-runtime/docker";
import type { Log } from "@remote-runtime/server";
import { waitForEngine } from "./wait-for-engine.ts";

/** The engine that DOCKER_HOST names, once it answers. Throws the signal's own reason when that aborts before. */
export async function connectEngine(options: { log: Log; signal: AbortSignal }): Promise<Docker> {
  const docker = createDocker();
  await waitForEngine(() => pingEngine(docker), { ...options, address: engineAddress(docker) });
  return docker;
}
