import { randomUUID } from "node:crypto";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { adminRoutes, routes, type Handlers, type ReplicaRoutes } from "@remote-runtime/protocol";
import { createSandboxProxy, parseSandboxTarget, type SandboxTarget } from "@remote-runtime/proxy";
import type { Bounds, Choice } from "@remote-runtime/placement";
import type { Registry, ReplicaInfo } from "@remote-runtime/registry";
import { systemClock, type Clock } from "@remote-runtime/runtime";
import {
  createApp,
  createBuildUploads,
  mountRoutes,
  type App,
  type Keyring,
  type Log,
  type Metrics,
  type QuickAnswers,
  type SandboxPlane,
} from "@remote-runtime/server";
import { createAdmin } from "./admin.ts";
import { createAsker } from "./asker.ts";
import type { Routing } from "./base-url.ts";
import { createBuildHandlers } from "./build-handlers.ts";
import { createBuildPlacer } from "./build-placer.ts";
import { createBuildSender } from "./build-sender.ts";
import { createCommands } from "./commands.ts";
import { createDirectory, type Directory } from "./directory.ts";
import { createHandlers } from "./handlers.ts";
import { createImageFinder, type ImageFinder } from "./image-finder.ts";
import { learn } from "./learn.ts";
import { createLister } from "./lister.ts";
import { createPlacementCounter } from "./metrics.ts";
import { createOwnerCall } from "./owner-call.ts";
import { createPlacer, type Placer } from "./placer.ts";
import { createQuickImageAnswers } from "./quick-image-answers.ts";
import { createReader } from "./reader.ts";
import { createRecordReader } from "./record-reader.ts";
import { createReplicaCaller, type ReplicaCaller } from "./replica-caller.ts";
import { createSandboxResolver } from "./sandbox-resolver.ts";
import { createSessionFinder } from "./session-finder.ts";
import { createStarter } from "./starter.ts";
import { uploadsFolder } from "./uploads-folder.ts";

export type GatewayOptions = {
  routing: Routing;
  publicUrl: string | undefined;
  wildcardBase: string | undefined;
  /** After so long without its replica a runtime reads as failed, and its session can be started anew. 0: never. */
  replicaLostMs: number;
  /** Default 1.25 and 1.5. */
  bounds?: Bounds | undefined;
  /** Owners of keys that may drain replicas, prefetch and pin. Default: all. */
  operators?: readonly string[] | undefined;
  registry: Registry;
  keyring: Keyring;
  metrics: Metrics;
  log: Log;
  version: string;
  /** Of one upload on its way to a replica, and of its disk. Default 512 MiB, 5 min and 1024 MiB. */
  buildUpload?: { maxContextBytes: number; timeoutMs: number; reserveBytes: number } | undefined;
  /** Default: the system's. */
  clock?: Clock;
  /** The one replica's endpoints, where it is in this process. Default: replicas are asked over HTTP. */
  local?: Handlers<ReplicaRoutes>;
  /** How a replica is reached; default: over HTTP at its internal URL. */
  fetchOf?: (replica: ReplicaInfo) => typeof fetch;
};

export interface Gateway {
  readonly app: App;
  /** What is asked most, answered before the app. */
  readonly quick: QuickAnswers;
  /** Bytes of sandboxes on their way to a replica. */
  readonly sandbox: SandboxPlane<SandboxTarget>;
  /** Reads the registry once. */
  refresh(): Promise<void>;
  /** Reads the registry until it has answered once, so that the first request finds its replicas; for 4 s at most. */
  learn(signal: AbortSignal): Promise<void>;
  /** Follows the registry until `signal` aborts. */
  run(signal: AbortSignal): Promise<void>;
}

/** The stateless front: what it knows comes from the registry, and another one beside it gives the same answers. */
export function createGateway(options: GatewayOptions): Gateway {
  const { registry, keyring, metrics, log, routing, operators, clock = systemClock } = options;
  // The one replica is there, and says all there is to say.
  const settling = routing === "local" ? { settleMs: 0 } : {};
  const caller = createReplicaCaller({
    routing,
    publicUrl: options.publicUrl ?? null,
    clock,
    ...(options.local ? { local: options.local } : {}),
    ...(options.fetchOf ? { fetchOf: options.fetchOf } : {}),
  });
  const directory = createDirectory({
    registry,
    clock,
    log,
    answers: caller.answers,
    onGroup: (change) => placer.hear(change),
    onLoad: (replicaId) => placer.announced(replicaId),
    ...settling,
  });
  const onPlaced = createPlacementCounter(metrics);
  const agreement = routing === "local" ? undefined : registry;
  const placer = createPlacer({
    directory,
    caller,
    registry: agreement,
    gatewayId: randomUUID(),
    bounds: options.bounds,
    clock,
    onPlaced,
  });
  const app = createApp({ log, metrics });
  const finder = createImageFinder({ directory, placer, caller });
  const parts = { directory, caller, placer, finder, onPlaced };
  mountRoutes(app, routes, handlersOf({ ...options, clock }, parts), { keyring });
  mountRoutes(app, adminRoutes, createAdmin({ ...parts, registry, clock, operators }), { keyring });

  const proxy = createSandboxProxy({
    upstream: "replica",
    resolve: createSandboxResolver({ directory, registry, clock }),
    isControlKey: (value) => keyring.isKey(value),
    log,
  });
  const { wildcardBase } = options;
  const baseHost = wildcardBase === undefined ? undefined : new URL(wildcardBase).hostname;

  return {
    app,
    quick: createQuickImageAnswers({ keyring, finder, metrics }),
    sandbox: {
      // With direct routing only a wildcard domain may lead here; a path of that form is just unknown.
      match: ({ headers, url }) => {
        const target = parseSandboxTarget(headers.host, url ?? "/", { baseHost });
        const isPathForm = headers.host === undefined || !isUnder(headers.host, baseHost);
        return routing === "direct" && isPathForm ? undefined : target;
      },
      handle: proxy.handle,
      upgrade: proxy.upgrade,
    },
    refresh: directory.refresh,
    learn: (signal) => learn({ directory, clock, signal }),
    async run(signal) {
      await directory.run(signal);
      proxy.close();
    },
  };
}

const MIB = 1024 * 1024;
const BUILD_UPLOAD = {
  maxContextBytes: 512 * MIB,
  timeoutMs: 300_000,
  reserveBytes: 1024 * MIB,
};
/** Archives on their way at the same time: together as much as so many of the largest. */
const MOST_HELD_CONTEXTS = 2;
/** Clients give up a call that stands still for 30 s. */
const ROOM_WAIT_MS = 20_000;

type Parts = {
  directory: Directory;
  caller: ReplicaCaller;
  placer: Placer;
  finder: ImageFinder;
  onPlaced: (choice: Choice) => void;
};

function handlersOf(
  options: GatewayOptions & { clock: Clock },
  { directory, caller, placer, finder, onPlaced }: Parts,
): ReturnType<typeof createHandlers> {
  const { registry, clock, version } = options;
  const records = createRecordReader({
    directory,
    registry,
    caller,
    clock,
    wildcardBase: options.wildcardBase ?? null,
    lostAfterMs: options.replicaLostMs || Number.POSITIVE_INFINITY,
  });
  const asker = createAsker({ directory, caller });
  const callOwner = createOwnerCall({ directory, asker, records });
  const sessions = createSessionFinder({ directory, asker, records });
  return createHandlers({
    asker,
    reader: createReader({ directory, caller, asker, callOwner, records, sessions }),
    list: createLister({ directory, caller, records, clock }),
    commands: createCommands({ callOwner, records }),
    start: createStarter({
      directory,
      caller,
      records,
      sessions,
      placer,
      onHeld: ({ id }) => onPlaced({ kind: "held", replicaId: id }),
      newSessionId: randomUUID,
    }),
    finder,
    builds: buildsOf(options, { directory, caller, placer }),
    version,
  });
}

function buildsOf(
  options: GatewayOptions & { clock: Clock },
  { directory, caller, placer }: Pick<Parts, "directory" | "caller" | "placer">,
): ReturnType<typeof createBuildHandlers> {
  const { routing, registry, local, clock, buildUpload = BUILD_UPLOAD } = options;
  const { receive } = createBuildUploads({
    ...buildUpload,
    folder: join(tmpdir(), uploadsFolder({ host: hostname(), pid: process.pid })),
    maxHeldBytes: MOST_HELD_CONTEXTS * buildUpload.maxContextBytes,
    waitMs: () => ROOM_WAIT_MS,
  });
  return createBuildHandlers({
    directory,
    caller,
    receive,
    place: createBuildPlacer({ directory, placer, registry }),
    send: createBuildSender({ routing, timeoutMs: buildUpload.timeoutMs }),
    clock,
    local,
  });
}

function isUnder(host: string, baseHost: string | undefined): boolean {
  const name = host.toLowerCase().replace(/:\d+$/, "");
  return baseHost !== undefined && name.endsWith(`.${baseHost.toLowerCase()}`);
}
