import { randomBytes, randomUUID } from "node:crypto";
import { hostname } from "node:os";
import {
  INSTANCE_HEADER,
  newRuntimeId,
  replicaRoutes,
  replicaTagOf,
} from "@remote-runtime/protocol";
import { createSandboxProxy, parseSandboxTarget, type SandboxTarget } from "@remote-runtime/proxy";
import type { Registry } from "@remote-runtime/registry";
import { createLull, createRuntimes, systemClock, type Endpoint } from "@remote-runtime/runtime";
import {
  createApp,
  mountRoutes,
  type App,
  type Keyring,
  type Log,
  type Metrics,
  type SandboxPlane,
} from "@remote-runtime/server";
import type { SandboxConfig } from "./config.ts";
import { mountArchives } from "./archive-server.ts";
import { budgetOf, engineLimitsOf, partOf } from "./budget.ts";
import { createBuildService } from "./build-service.ts";
import { composeName } from "./compose-name.ts";
import { connectEngine } from "./connect-engine.ts";
import { createDirectStarts } from "./direct-starts.ts";
import { createDrain } from "./drain.ts";
import { findPublishedHost } from "./find-published-host.ts";
import { createHandlers } from "./handlers.ts";
import { answersHealth } from "./id-clash.ts";
import { createImageService } from "./image-service.ts";
import { createMembership } from "./membership.ts";
import { measureDisk } from "./measure-disk.ts";
import { measureRuntimes } from "./metrics.ts";
import { createPeers } from "./peers.ts";
import { canBind, createPortPicker, heldPorts } from "./port-picker.ts";
import { agentIdleMs, probeAlive } from "./probe.ts";
import { createPublishedPath, type PublishedPath } from "./published-path.ts";
import { publicAddressOf } from "./public-address.ts";
import { registryPrefixOf } from "./registry-setting.ts";
import { runtimeSettingsOf } from "./runtime-settings.ts";
import { weightOf } from "./weight.ts";

const MIB = 1024 * 1024;
const GB = 1e9;

export type ReplicaOptions = {
  config: SandboxConfig;
  host: string;
  port: number;
  /** Default: the name that compose gave this process's container, else the host's name. */
  replicaId: string | undefined;
  publicUrl: string | undefined;
  publicPort: number | undefined;
  internalUrl: string | undefined;
  /** For uploads and logs of builds. Default: one in the system's folder for temporary files, named after the replica. */
  buildFolder?: string | undefined;
  registry: Registry;
  keyring: Keyring;
  /** One of the keyring's keys, for asking other replicas. Default: there are none to be asked. */
  key?: string | undefined;
  metrics: Metrics;
  log: Log;
  version: string;
  /** Ends the wait for an engine that does not answer yet. */
  signal: AbortSignal;
};

export interface Replica {
  readonly app: App;
  /** The endpoints themselves, for a gateway in this process. */
  readonly handlers: ReturnType<typeof createHandlers>;
  readonly sandbox: SandboxPlane<SandboxTarget>;
  readonly id: string;
  /** Takes over the runtimes that are there; waits for the engine. To be awaited before the server listens. */
  adopt(signal: AbortSignal): Promise<void>;
  /** Joins the ring; `port` is the one that is listened on. */
  join(port: number): Promise<void>;
  /** Keeps everything going until `signal` aborts, then leaves the ring. */
  run(signal: AbortSignal): Promise<void>;
  /** From `leaving` on gateways start nothing here. Returns when nothing runs any more, or when `signal` aborts. */
  drain(leaving: AbortSignal, signal: AbortSignal): Promise<void>;
}

/** One replica: runtimes and images on one Docker engine, and the two planes of its server. */
export async function createReplica(options: ReplicaOptions): Promise<Replica> {
  const { config, host, registry, keyring, metrics, log, version } = options;
  const wildcardBase = config.RUNTIME_URL_BASE ?? null;
  const connected = await connectEngine(options);
  const { engine, description, self, dialHost, remoteHost } = connected;
  const replicaId = options.replicaId ?? composeName(self) ?? hostname();
  /** Asked when there is work, which is after all of this has been made. */
  const partHere = (total: number): number => partOf(total, peers.share().count);
  const imageService = await createImageService({
    ...options,
    connected,
    replicaId,
    used: () => runtimes.images(),
    partOf: partHere,
    clock: systemClock,
  });
  const { images, disk, injects, inventory } = imageService;
  const tag = replicaTagOf(replicaId);
  const instance = randomUUID();
  let port = options.port;
  let published: PublishedPath | undefined;
  const publicPort = (): number => options.publicPort ?? self?.publishedPort(options.port) ?? port;
  log.info(
    { replica: replicaId, engine: description.id, reach: connected.reach, cpus: description.cpus },
    "replica",
  );

  const proxy = createSandboxProxy({
    resolve(id, service) {
      const route = runtimes.route(id, service);
      return route.kind === "live" ? { kind: "live", ...route.endpoint } : route;
    },
    isControlKey: (value) => keyring.isKey(value),
    log,
  });

  const engineLimits = engineLimitsOf(config, description);
  const runtimes = createRuntimes({
    replicaId,
    engine,
    images,
    injects,
    registry,
    clock: systemClock,
    ...runtimeSettingsOf(config),
    turnLimits: () => budgetOf(engineLimits, peers.share().count),
    onUnplaced: createDirectStarts({ registry, replicaId, clock: systemClock }),
    afterBurst: createLull(systemClock),
    newId: () => newRuntimeId(tag, randomBytes),
    newSecret: () => randomBytes(32).toString("base64url"),
    pickPort: createPortPicker({
      ...config.SANDBOX_PORT_RANGE,
      held: () => heldPorts(engine),
      // The ports of a containerised replica are not those of the engine's host, nor are those of another machine.
      isFree:
        self?.ownNetwork || remoteHost !== undefined
          ? async () => true
          : (candidate) => canBind(host, candidate),
      share: () => peers.share(),
      random: Math.random,
      now: systemClock.now,
    }),
    probe: (record, signal) => {
      // Not listening yet: no client could come in.
      if (published === undefined) return Promise.resolve(false);
      const endpoint = agentEndpoint(record.id);
      return probeAlive(
        record,
        { host: dialHost, port, wildcardBase, published, endpoint },
        signal,
      );
    },
    activity: (id) => proxy.activity(id),
    agentIdleMs: ({ record }) => agentIdleMs(agentEndpoint(record.id)),
    onHalted: (id) => proxy.forget(id),
    onImages: imageService.changed,
    onChange: () => membership.changed(),
    mayEnd: () => membership.isSure(),
    log,
  });

  function agentEndpoint(id: string): Endpoint | undefined {
    const route = runtimes.route(id, "agent");
    return route.kind === "live" ? route.endpoint : undefined;
  }

  const peers = createPeers({
    replicaId,
    engineId: description.id,
    inherit: runtimes.inherit,
    onSeen: imageService.homes.see,
    onCount: runtimes.reconsider,
    clock: systemClock,
    log,
  });
  const buildService = createBuildService({
    engine,
    config,
    folder: options.buildFolder,
    replicaId,
    ...imageService,
    partOf: partHere,
    now: systemClock.now,
    log,
  });
  const membership = createMembership({
    registry,
    identity: () => ({
      id: replicaId,
      instance,
      tag,
      internalUrl: options.internalUrl ?? `http://${self?.networkAddress ?? hostname()}:${port}`,
      publicUrl: options.publicUrl ?? null,
      publicPort: publicPort(),
      engineId: description.id,
      weight: weightOf(description, config.SANDBOX_MEMORY_MIB * MIB),
      version,
    }),
    condition() {
      const { live, kept } = runtimes.counts();
      // The operator's wish to drain is the registry's to tell.
      const draining = drain.isDraining();
      const pulling = [...images.pulling()];
      const roomBytes = disk.roomBytes();
      // Whole GB, or every announcement would bring gateways something new.
      const room = roomBytes === undefined ? {} : { roomBytes: GB * Math.floor(roomBytes / GB) };
      return { load: live, runtimes: kept, pulling, draining, ...room };
    },
    peers,
    republish: runtimes.republish,
    republishInventory: inventory.republish,
    isAlive: answersHealth,
    clock: systemClock,
    log,
  });
  const drain = createDrain({
    live: () => runtimes.counts().live,
    announce: membership.tell,
    clock: systemClock,
    log,
  });

  const app = createApp({ log, metrics });
  const addressOf = (request: Request) =>
    publicAddressOf(request, {
      publicUrl: options.publicUrl ?? null,
      publicPort: publicPort(),
      wildcardBase,
    });
  const handlers = createHandlers({
    replicaId,
    runtimes,
    ...imageService,
    registry,
    addressOf,
    urlPolicy: config.RUNTIME_URLS,
    portHost: options.publicUrl === undefined ? remoteHost : undefined,
    registryPrefix: registryPrefixOf(config),
    ...buildService,
    newSessionId: randomUUID,
    version,
  });
  app.use("/health", async function nameInstance(context, next) {
    await next();
    context.header(INSTANCE_HEADER, instance);
  });
  mountRoutes(app, replicaRoutes, handlers, { keyring });
  mountArchives(app, { images, engine, disk, keyring, log });
  measureRuntimes(metrics, runtimes);
  measureDisk(metrics, disk);
  const baseHost = wildcardBase === null ? undefined : new URL(wildcardBase).hostname;

  return {
    app,
    handlers,
    id: replicaId,
    sandbox: {
      match: (request) =>
        parseSandboxTarget(request.headers.host, request.url ?? "/", { baseHost }),
      handle: proxy.handle,
      upgrade: proxy.upgrade,
    },
    adopt: runtimes.adopt,
    async join(listeningPort) {
      port = listeningPort;
      const publishedHost = await findPublishedHost({
        self,
        remoteHost,
        dialHost,
        publicPort: publicPort(),
        isThisServer: (url) => answersHealth({ internalUrl: url, instance }),
        log,
      });
      published = createPublishedPath({ host: publishedHost, clock: systemClock, log });
      await membership.join();
    },
    async run(signal) {
      const parts = [membership, runtimes, imageService];
      await buildService.empty();
      await Promise.all(parts.map((part) => part.run(signal)));
      proxy.close();
      await buildService.close();
    },
    drain: drain.run,
  };
}
