import {
  buildUploadShape,
  ConfigError,
  envValue,
  LOG_LEVELS,
  readEnvironment,
  type Environment,
} from "@remote-runtime/server";
import { z } from "zod";
import { dockerHost } from "./docker-host-setting.ts";
import { injectMappings } from "./inject-setting.ts";
import { registryFolder, registryMirrors, registryProblems } from "./registry-setting.ts";

const { apiKeys, choice, integer, port, portRange, seconds, text, url } = envValue;

/** What sandboxes may use and how long they live; the same for a replica and for the standalone server. */
const sandboxShape = {
  /** Read by the Docker client itself. Unset: the local socket. */
  DOCKER_HOST: dockerHost().optional(),
  /** The folder of the `config.json` that `docker login` writes. Unset: `~/.docker`. */
  DOCKER_CONFIG: text("/root/.docker").optional(),
  /** `auto`: found out at start. */
  SANDBOX_REACH: choice(["auto", "bridge", "network", "published"]).default("auto"),
  SANDBOX_NETWORK: text("openhands-sandboxes").default("openhands-sandboxes"),
  SANDBOX_PORT_RANGE: portRange("20000-29999").default({ first: 20_000, last: 29_999 }),
  SANDBOX_MEMORY_MIB: integer({ min: 64, max: 16_777_216, example: 4096 }).default(4096),
  SANDBOX_RESERVED_MEMORY_MIB: integer({ min: 1, max: 16_777_216, example: 256 }).default(256),
  SANDBOX_PIDS: integer({ min: 16, max: 4_194_304, example: 4096 }).default(4096),
  /** On the engine; its replicas share it. 0: two for each core. */
  MAX_STARTING: integer({ min: 0, max: 10_000, example: 8 }).default(0),
  /** On the engine; its replicas share it. 0: as many as its memory holds at SANDBOX_RESERVED_MEMORY_MIB each. */
  MAX_RUNNING: integer({ min: 0, max: 100_000, example: 100 }).default(0),
  /** On the engine; its replicas share it. */
  MAX_PULLS: integer({ min: 1, max: 1000, example: 3 }).default(3),
  /** Images are given up from here on … */
  DISK_HIGH_PERCENT: integer({ min: 1, max: 100, example: 85 }).default(85),
  /** … until no more than this is in use. */
  DISK_LOW_PERCENT: integer({ min: 0, max: 99, example: 75 }).default(75),
  /** A path on the engine's disk, as this server sees it. Unset: found out where that is possible. */
  DISK_PATH: text("/var/lib/docker").optional(),
  /** What images and build cache may take together. 0: as much as the disk has. */
  DISK_GB: integer({ min: 0, max: 1_000_000, example: 500 }).default(0),
  EVICT_IMAGES: choice(["brought", "any", "none"]).default("brought"),
  /** Paths of images that are mounted into sandboxes whose own image lacks them. */
  INJECT: injectMappings().default([]),
  /** At once on the engine, whose replicas share it; the others wait. */
  MAX_BUILDS: integer({ min: 1, max: 1000, example: 2 }).default(2),
  /** Clients wait for a build half an hour. */
  BUILD_TIMEOUT_SECONDS: seconds({ min: 1, max: 86_400, example: 1800 }).default(1800),
  ...buildUploadShape,
  BOOT_TIMEOUT_SECONDS: seconds({ min: 1, example: 1800 }).default(1800),
  NEVER_USED_TIMEOUT_SECONDS: seconds({ example: 600 }).default(600),
  IDLE_TIMEOUT_SECONDS: seconds({ example: 14_400 }).default(14_400),
  PAUSED_TIMEOUT_SECONDS: seconds({ example: 259_200 }).default(259_200),
  MAX_AGE_SECONDS: seconds({ example: 86_400 }).default(0),
  PAUSE_GRACE_SECONDS: seconds({ max: 300, example: 10 }).default(10),
  RUNTIME_URLS: choice(["auto", "path", "host", "port"]).default("auto"),
  /** A domain whose subdomains all lead to this server, as a URL. */
  RUNTIME_URL_BASE: url({ example: "http://sandbox.example.com:8000" }).optional(),
  /** Where builds are pushed to, and pulled from: a folder of an image registry. Unset: they stay on their engines. */
  REGISTRY: registryFolder().optional(),
  REGISTRY_USERNAME: text("openhands").optional(),
  REGISTRY_PASSWORD: text("a-long-random-text").meta({ secret: true }).optional(),
  /** Asked before the registries that they stand for. */
  REGISTRY_MIRRORS: registryMirrors().default([]),
  /** What clients begin the names of their builds with. Unset: REGISTRY. */
  REGISTRY_PREFIX: text("registry.example.com/openhands").optional(),
};

const replicaShape = {
  ...sandboxShape,
  HOST: text("0.0.0.0").default("0.0.0.0"),
  PORT: port(8000).default(8000),
  LOG_LEVEL: choice(LOG_LEVELS).default("info"),
  API_KEYS: apiKeys(),
  REDIS_URL: url({ schemes: ["redis", "rediss"], example: "redis://localhost:6379" }),
  /** In a container of a compose project: the names of project and service and its number; else the host's name. */
  REPLICA_ID: text("replica-1").optional(),
  /** Where clients reach this replica. Unset: the host name that they know already, with PUBLIC_PORT. */
  PUBLIC_URL: url({ example: "http://replica-1.example.com:8000" }).optional(),
  /** Unset: the port that this container publishes, or PORT. */
  PUBLIC_PORT: port(8000).optional(),
  /** Where gateways reach this replica. Unset: this container's own address, or the host's name. */
  INTERNAL_URL: url({ example: "http://10.0.0.7:8000" }).optional(),
  /** Once told to end: so long it serves the runtimes that it has, taking no new ones from gateways. 0: not at all. */
  SHUTDOWN_GRACE_SECONDS: seconds({ max: 86_400, example: 1800 }).default(0),
};

const sandboxSchema = z.object(sandboxShape);
const replicaSchema = z.object(replicaShape);

/** Other names under which a client's key may be set already. */
export const keyAliases = {
  API_KEYS: ["ALLHANDS_API_KEY", "OPENHANDS_API_KEY", "SANDBOX_API_KEY"],
};

export type SandboxConfig = z.output<typeof sandboxSchema>;
export type ReplicaConfig = z.output<typeof replicaSchema>;

/** Every variable that a replica reads. */
export const environmentNames: readonly string[] = [
  ...Object.keys(replicaShape),
  ...keyAliases.API_KEYS,
];

/** Throws ConfigError that lists everything that is wrong. */
export function readReplicaConfig(env: Environment): ReplicaConfig {
  return consistent(readEnvironment(replicaSchema, env, { aliases: keyAliases }));
}

/** Throws ConfigError where settings contradict each other. */
export function consistent<Config extends SandboxConfig>(config: Config): Config {
  const problems = registryProblems(config);
  if (config.RUNTIME_URLS === "host" && config.RUNTIME_URL_BASE === undefined) {
    problems.push(
      "RUNTIME_URLS=host needs RUNTIME_URL_BASE, a domain whose subdomains all lead here, e.g. http://sandbox.example.com:8000",
    );
  }
  if (config.DISK_LOW_PERCENT >= config.DISK_HIGH_PERCENT) {
    problems.push(
      `DISK_LOW_PERCENT (${config.DISK_LOW_PERCENT}) must be less than DISK_HIGH_PERCENT (${config.DISK_HIGH_PERCENT})`,
    );
  }
  if (problems.length > 0) throw new ConfigError(problems);
  return config;
}

export { sandboxShape };
