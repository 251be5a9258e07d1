import { createHash } from "node:crypto";
import { canonicalReference, type EngineImage } from "@remote-runtime/image";
import { ServiceError } from "@remote-runtime/protocol";
import type {
  ContainerPlan,
  Endpoint,
  Engine,
  EngineEvent,
  Sandbox,
  SandboxService,
} from "./engine.ts";

export type FakeContainer = { plan: ContainerPlan; state: Sandbox["state"]; log: string };

export type FakeEngineMethod = Exclude<keyof Engine, "watch">;

/** What a test can do to the engine and see of it. */
export type FakeEngineControls = {
  /** By runtime id. */
  readonly containers: ReadonlyMap<string, Readonly<FakeContainer>>;
  /** How often each method was called, failed calls included. */
  readonly calls: Readonly<Record<FakeEngineMethod, number>>;
  addImage(reference: string, image?: Partial<EngineImage>): void;
  removeImage(reference: string): void;
  /** The next `times` (default 1; 0 ends it) calls of `method` throw `error`; replaces what was said before. */
  failOn(method: FakeEngineMethod, error: Error, times?: number): void;
  /** The process of a running container ends. */
  crash(id: string, exitCode: number, options?: { oomKilled?: boolean; removing?: true }): void;
  /** The process of a container writes `text`. */
  write(id: string, text: string): void;
  /** The port of the host belongs to another program from now on. */
  takePort(port: number): void;
  /** While away every call is `unavailable`; told as `disconnected` and `reconnected`. */
  setAway(away: boolean): void;
};

/** An engine in memory with strings to pull. Nothing happens in it by itself: no clock, no boot, no exit. */
export type FakeEngine = Engine & FakeEngineControls;

export type FakeEngineOptions = {
  /** References that the engine holds from the start. */
  images?: string[];
  /** Brings an image; afterwards the engine holds it. Default: every image is there at once. */
  pull?: Engine["pull"];
  /** Where a running sandbox can be dialled. Default: 127.0.0.1 and the service's own number, where nothing listens. */
  endpointFor?: (id: string, service: SandboxService, port: number) => Endpoint | undefined;
  /** Default: `runc`. */
  runtimeClasses?: string[];
};

type State = Required<Omit<FakeEngineOptions, "images" | "pull">> & {
  containers: Map<string, FakeContainer>;
  images: Map<string, EngineImage>;
  takenPorts: Set<number>;
  failures: Map<FakeEngineMethod, { error: Error; left: number }>;
  calls: Record<FakeEngineMethod, number>;
  listeners: Set<(event: EngineEvent) => void>;
  away: boolean;
};

const SERVICES: [SandboxService, number][] = [
  ["agent", 60000],
  ["vscode", 60001],
  ["work-1", 12000],
  ["work-2", 12001],
];
const MOST_LOG_CHARACTERS = 16 * 1024;

/** An `Engine` for fast tests. Events are told in a microtask after the call that causes them. */
export function createFakeEngine(options: FakeEngineOptions = {}): FakeEngine {
  const state: State = {
    endpointFor: options.endpointFor ?? ((_id, _service, port) => ({ host: "127.0.0.1", port })),
    runtimeClasses: options.runtimeClasses ?? ["runc"],
    containers: new Map(),
    images: new Map(),
    takenPorts: new Set(),
    failures: new Map(),
    calls: noCalls(),
    listeners: new Set(),
    away: false,
  };
  for (const reference of options.images ?? []) addImage(state, reference);
  return {
    ...createControls(state),
    ...createReading(state),
    ...createLife(state),
    async pull(reference, onProgress, signal) {
      enter(state, "pull");
      await options.pull?.(reference, onProgress, signal);
      addImage(state, reference);
    },
    watch(onEvent, signal) {
      if (signal.aborted) return;
      state.listeners.add(onEvent);
      signal.addEventListener("abort", () => state.listeners.delete(onEvent), { once: true });
    },
  };
}

function createControls(state: State): FakeEngineControls {
  return {
    containers: state.containers,
    calls: state.calls,
    addImage: (reference, image) => addImage(state, reference, image),
    removeImage(reference) {
      state.images.delete(canonicalReference(reference));
      emit(state, { kind: "images" });
    },
    failOn: (method, error, times = 1) => void state.failures.set(method, { error, left: times }),
    crash: (id, exitCode, how = {}) =>
      end(state, existing(state, id), { kind: "exited", exitCode, oomKilled: false, ...how }),
    write(id, text) {
      const container = existing(state, id);
      container.log = (container.log + text).slice(-MOST_LOG_CHARACTERS);
    },
    takePort: (port) => void state.takenPorts.add(port),
    setAway(away) {
      if (state.away !== away) emit(state, { kind: away ? "disconnected" : "reconnected" });
      state.away = away;
    },
  };
}

function createReading(
  state: State,
): Pick<
  Engine,
  "describe" | "list" | "inspect" | "logs" | "image" | "images" | "publishedPorts" | "ping"
> {
  return {
    async describe() {
      enter(state, "describe");
      const { runtimeClasses } = state;
      return { id: "fake-engine", cpus: 4, memoryBytes: 2 ** 34, runtimeClasses };
    },
    async list() {
      enter(state, "list");
      return [...state.containers.values()].map((container) => seen(state, container));
    },
    async inspect(id) {
      enter(state, "inspect");
      const container = state.containers.get(id);
      return container && seen(state, container);
    },
    async logs(id, lines) {
      enter(state, "logs");
      const { log } = existing(state, id);
      const afterLast = log.endsWith("\n") ? 1 : 0;
      return log
        .split("\n")
        .slice(-lines - afterLast)
        .join("\n");
    },
    async image(reference) {
      enter(state, "image");
      return state.images.get(canonicalReference(reference));
    },
    async images() {
      enter(state, "images");
      return [...state.images.values()];
    },
    async publishedPorts() {
      enter(state, "publishedPorts");
      return publishedPorts(state);
    },
    async ping() {
      state.calls.ping += 1;
      return !state.away;
    },
  };
}

function createLife(state: State): Pick<Engine, "create" | "start" | "stop" | "remove"> {
  return {
    async create(plan) {
      enter(state, "create");
      if (!state.images.has(canonicalReference(plan.image))) {
        throw new ServiceError("not_found", `no image ${plan.image}`);
      }
      if (state.containers.has(plan.id)) {
        throw new ServiceError("conflict", `the name ${plan.id} is in use`);
      }
      state.containers.set(plan.id, { plan, state: { kind: "created" }, log: "" });
    },
    async start(id) {
      enter(state, "start");
      const container = existing(state, id);
      if (container.state.kind === "running") return;
      const { hostPort } = container.plan;
      const taken =
        hostPort !== undefined &&
        (state.takenPorts.has(hostPort) || publishedPorts(state).has(hostPort));
      if (taken)
        throw new ServiceError("conflict", `start of ${id}: host port ${hostPort} is in use`);
      container.state = { kind: "running" };
      emit(state, { kind: "sandbox", id, action: "started" });
    },
    async stop(id) {
      enter(state, "stop");
      const container = state.containers.get(id);
      if (container) end(state, container, { kind: "exited", exitCode: 143, oomKilled: false });
    },
    async remove(id) {
      enter(state, "remove");
      const container = state.containers.get(id);
      if (!container) return;
      end(state, container, { kind: "exited", exitCode: 137, oomKilled: false });
      state.containers.delete(id);
      emit(state, { kind: "sandbox", id, action: "removed" });
    },
  };
}

function enter(state: State, method: FakeEngineMethod): void {
  state.calls[method] += 1;
  if (state.away) throw new ServiceError("unavailable", "the engine is away");
  const failure = state.failures.get(method);
  if (!failure || failure.left === 0) return;
  failure.left -= 1;
  throw failure.error;
}

function emit(state: State, event: EngineEvent): void {
  queueMicrotask(() => {
    for (const listener of state.listeners) listener(event);
  });
}

function existing(state: State, id: string): FakeContainer {
  const container = state.containers.get(id);
  if (!container) throw new ServiceError("not_found", `no container ${id}`);
  return container;
}

function end(
  state: State,
  container: FakeContainer,
  exited: Sandbox["state"] & { kind: "exited" },
): void {
  if (container.state.kind !== "running") return;
  container.state = exited;
  emit(state, { kind: "sandbox", id: container.plan.id, action: "died" });
}

function publishedPorts({ containers }: State): Set<number> {
  const running = [...containers.values()].filter(
    (container) => container.state.kind === "running",
  );
  return new Set(
    running.flatMap(({ plan }) => (plan.hostPort === undefined ? [] : [plan.hostPort])),
  );
}

function seen({ endpointFor }: State, { plan, state }: FakeContainer): Sandbox {
  const endpoints: Sandbox["endpoints"] = {};
  for (const [service, port] of state.kind === "running" ? SERVICES : []) {
    const endpoint = endpointFor(plan.id, service, port);
    if (endpoint) endpoints[service] = endpoint;
  }
  const { id, replicaId, recordLabel } = plan;
  return { id, replicaId, recordLabel, state, endpoints };
}

function addImage(state: State, reference: string, image: Partial<EngineImage> = {}): void {
  state.images.set(canonicalReference(reference), {
    id: `sha256:${createHash("sha256").update(reference).digest("hex")}`,
    references: [reference],
    sizeBytes: 100_000_000,
    createdAt: 0,
    entrypoint: [],
    command: ["sh"],
    ...image,
  });
  emit(state, { kind: "images" });
}

function noCalls(): Record<FakeEngineMethod, number> {
  return {
    describe: 0,
    list: 0,
    inspect: 0,
    create: 0,
    start: 0,
    stop: 0,
    remove: 0,
    logs: 0,
    image: 0,
    images: 0,
    pull: 0,
    publishedPorts: 0,
    ping: 0,
  };
}
