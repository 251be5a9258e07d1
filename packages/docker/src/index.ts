export { createDocker, engineAddress, type Docker } from "./create-docker.ts";
export { discoverReach, type DiscoverReachOptions } from "./discover-reach.ts";
export { createDockerDisk } from "./docker-disk.ts";
export {
  createDockerEngine,
  type DockerEngine,
  type DockerEngineOptions,
} from "./docker-engine.ts";
export { createDockerInject, type DockerInjectOptions } from "./docker-inject.ts";
export { findDiskSpace, type DiskSource } from "./find-disk-space.ts";
export { createManifestReader } from "./manifest-reader.ts";
export { inspectSelf, type Self } from "./inspect-self.ts";
export { pingEngine } from "./ping-engine.ts";
export { ensureNetwork, type SandboxNetwork } from "./network.ts";
export type { Reach } from "./reach.ts";
export { remoteHost } from "./remote-host.ts";
export type { CredentialSource } from "./registry-credential.ts";
