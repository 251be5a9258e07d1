import type { ImageEngine } from "@remote-runtime/image";

/** Container ports of a sandbox, by the name of what listens there. */
export const SANDBOX_PORT = {
  agent: 60000,
  vscode: 60001,
  "work-1": 12000,
  "work-2": 12001,
} as const;
export type SandboxService = keyof typeof SANDBOX_PORT;

/** A TCP address that this process can dial. */
export type Endpoint = { host: string; port: number };

/** A container of ours as the engine reports it. */
export type Sandbox = {
  /** Runtime id, which is also the container's name. */
  id: string;
  replicaId: string;
  /** The runtime's record as JSON, as it stood when the container was created. */
  recordLabel: string;
  state:
    | { kind: "created" }
    | { kind: "running" }
    /** `removing`: its container is on its way out, and its files with it. */
    | { kind: "exited"; exitCode: number; oomKilled: boolean; removing?: true };
  /** Where each service can be dialled; empty unless it runs. */
  endpoints: Partial<Record<SandboxService, Endpoint>>;
};

/** A volume that a sandbox reads at `path` and cannot write. */
export type Mount = { volume: string; path: string };

/** All that is needed to create a sandbox's container. Absent fields are left to the image or the engine. */
export type ContainerPlan = {
  /** Runtime id. */
  id: string;
  replicaId: string;
  recordLabel: string;
  image: string;
  /** Replaces ENTRYPOINT and CMD. Absent: the image's own, with `appendArguments` after them. */
  command?: string[];
  appendArguments?: string[];
  environment: Record<string, string>;
  workingDir?: string;
  /** `uid` or `uid:gid`. */
  user?: string;
  /** Extra groups, e.g. fs_group. */
  groups: string[];
  /** Made, and owned by this user and group, where the image lacks it. */
  ownedDirectory?: { path: string; uid: number; gid: number };
  /** Volumes that are there: a missing one is `not_found`. */
  mounts?: Mount[];
  memoryBytes: number;
  /** Relative weight; 1024 is the engine's default. */
  cpuShares: number;
  pidsLimit: number;
  /** Publishes the agent's port on this port of the host. */
  hostPort?: number;
  /** Used where the engine has it. */
  runtimeClass?: string;
};

export type EngineDescription = {
  id: string;
  cpus: number;
  memoryBytes: number;
  /** Names of the container runtimes that it can use, e.g. `runc`, `sysbox-runc`. */
  runtimeClasses: string[];
};

/**
 * Something happened to a sandbox or to an image. `disconnected`: events are missed from now on, until `reconnected`; none
 * says which.
 */
export type EngineEvent =
  | { kind: "sandbox"; id: string; action: "started" | "died" | "removed" }
  | { kind: "images" }
  | { kind: "disconnected" }
  | { kind: "reconnected" };

/**
 * What the life of a runtime needs of a Docker engine. Errors are ServiceError: `not_found` (no such image or
 * container), `conflict` (name in use), `unavailable` (the engine does not answer), `bad_request` (it refuses).
 * Every call but `pull` and `watch` ends within its deadline (30 s unless it says otherwise).
 */
export interface Engine extends ImageEngine {
  describe(): Promise<EngineDescription>;
  /** Every sandbox on this engine, whichever replica made it. */
  list(): Promise<Sandbox[]>;
  inspect(id: string): Promise<Sandbox | undefined>;
  /** Creates without starting. `conflict` when a container of that name exists. */
  create(plan: ContainerPlan): Promise<void>;
  /** Starts a created, paused or exited sandbox. `conflict` with `port` in the message when its host port is taken. */
  start(id: string): Promise<void>;
  /** Ends the process, keeps the file system: TERM, then KILL after `graceSeconds`. Absent or ended already is fine. */
  stop(id: string, graceSeconds: number): Promise<void>;
  /** Kills and removes the container with its anonymous volumes. Absent is fine. */
  remove(id: string): Promise<void>;
  /** The last lines of both streams, at most 16 KiB. */
  logs(id: string, lines: number): Promise<string>;
  /** Host ports that containers of this engine publish now. */
  publishedPorts(): Promise<Set<number>>;
  /** Reconnects by itself until `signal` aborts. */
  watch(onEvent: (event: EngineEvent) => void, signal: AbortSignal): void;
  ping(): Promise<boolean>;
}
