import {
  createImageStore,
  PULL_BACK_OFF,
  type ImageStore,
  type InjectStore,
  type OnPullProgress,
} from "@remote-runtime/image";
import { ServiceError, type RuntimeSpec } from "@remote-runtime/protocol";
import { describe, expect, test } from "vitest";
import { createWorld, order, startIn, type Life } from "./runtimes-fixture.ts";

const COMMAND = "/agent-server/.venv/bin/python -m openhands.agent_server";
const ID = "sha256:1";

describe("injection", () => {
  test("mounts a path that the command names and the image lacks, and tells of it", async () => {
    const world = createWorld();
    const { life, id } = await startIn(world, { spec: { command: COMMAND } }, { injects: store() });
    expect(life.state(id)).toBe("ready");
    expect(mountsOf(world, id)).toEqual([
      { path: "/agent-server", volume: "volume of /agent-server" },
    ]);
    expect(events(life, id)).toContain(`Injected: /agent-server of agent-server:1 (${ID})`);
  });

  test.each<[string, Partial<RuntimeSpec>, string[], string[]]>([
    ["the image has it", { command: COMMAND }, ["/agent-server"], []],
    ["the command does not name it", { command: "python -m server" }, [], []],
    ["the caller wants none", { command: COMMAND, inject: [] }, [], []],
    [
      "the caller wants another, which the image has",
      { command: COMMAND, inject: ["/openhands"] },
      ["/openhands"],
      ["/openhands"],
    ],
  ])("where %s mounts what is due", async (_, spec, has, expected) => {
    const world = createWorld();
    const { id } = await startIn(world, { spec }, { injects: store({ has }) });
    expect((mountsOf(world, id) ?? []).map(({ path }) => path)).toEqual(expected);
  });

  test("that cannot be had ends the start as a missing image does", async () => {
    const missing = new ServiceError("not_found", "INJECT /agent-server=x: manifest unknown");
    const injects = store({ ready: () => Promise.reject(missing) });
    const { life, id } = await startIn(createWorld(), { spec: { command: COMMAND } }, { injects });
    expect(life.get(id)).toMatchObject({
      verdict: "image_unavailable",
      observed: { state: "failed", reason: missing.message },
    });
  });

  test("that takes its time is shown and takes no turn", async () => {
    const copied = Promise.withResolvers<void>();
    const injects = store({
      async ready(path, onProgress) {
        onProgress(`copying ${path}`);
        await copied.promise;
        return injectionOf(path);
      },
    });
    const { world, life, id } = await startIn(
      createWorld(),
      { spec: { command: COMMAND } },
      { injects, maxStarting: 1 },
    );
    expect(life.get(id)?.observed).toEqual({ state: "pulling", progress: "copying /agent-server" });
    const { id: other } = await life.start(order({ sessionId: "other" }));
    await world.clock.settle();
    expect(life.state(other)).toBe("ready");
    copied.resolve();
    await world.clock.settle();
    expect(life.state(id)).toBe("ready");
    expect(events(life, id)).toContain("Pulled: the injected path /agent-server in 0.0 s");
  });

  test("is found again where its volume was removed before the container was created", async () => {
    const world = createWorld();
    world.engine.failOn("create", new ServiceError("not_found", "a volume to mount is gone"));
    const { life, id } = await startIn(world, { spec: { command: COMMAND } }, { injects: store() });
    await world.clock.advance(1_000);
    expect(life.state(id)).toBe("ready");
  });

  test("of what is not mapped is refused before anything is on record", async () => {
    const life = await createWorld().beginAndRun({ injects: store() });
    const asked = order({ spec: { inject: ["/other"] } });
    await expect(life.start(asked)).rejects.toMatchObject({ code: "bad_request" });
    expect(life.list(asked.owner)).toEqual([]);
  });
});

/** A runtime whose image is brought until `end` is called; `tell` is what the pull says. */
async function pulling() {
  const world = createWorld();
  const brought = Promise.withResolvers<void>();
  let onProgress: OnPullProgress = () => undefined;
  const store = createImageStore({ engine: world.engine });
  const images: ImageStore = {
    ...store,
    async fetch(reference, policy, tell, signal) {
      onProgress = tell;
      await brought.promise;
      return store.fetch(reference, policy, tell, signal);
    },
  };
  const { life, id } = await startIn(world, {}, { images });
  const tell: OnPullProgress = (...progress) => onProgress(...progress);
  const history = (): string[] =>
    events(life, id).filter((line) => /^(Pull|Progress|Retry)/.test(line));
  return { world, history, tell, end: brought.resolve };
}

describe("a pull", () => {
  test("tells of itself in the history in three lines, with what came and how fast", async () => {
    const { world, history, tell, end } = await pulling();
    // Others have begun it.
    tell("1/3 layers, 10/80 MB", 10e6);
    for (let second = 1; second <= 14; second += 1) {
      await world.clock.advance(1_000);
      tell(`1/3 layers, ${10 + 5 * second}/80 MB`, (10 + 5 * second) * 1e6);
    }
    const sofar = ["Pulling: python:3", "Progress: python:3: 1/3 layers, 60/80 MB"];
    expect(history()).toEqual(sofar);
    end();
    await world.clock.settle();
    expect(history()).toEqual([...sofar, "Pulled: python:3 in 14.0 s: 80.0 MB, 5.0 MB/s"]);
  });

  test("that takes long, and is tried again, leaves a history of few lines", async () => {
    const { world, history, tell } = await pulling();
    for (let look = 0; look < 600; look += 1) {
      await world.clock.advance(2_000);
      tell(look === 300 ? `${PULL_BACK_OFF}: away` : `${look}/700 layers`, look);
    }
    expect(history()).toEqual([
      "Pulling: python:3",
      "Progress: python:3: 299/700 layers",
      "Retry: ImagePullBackOff: away",
      "Progress: python:3: 599/700 layers",
    ]);
  });
});

/** `has`: the mapped paths that every image has itself. */
function store({ has = [], ...own }: Partial<InjectStore> & { has?: string[] } = {}): InjectStore {
  const paths = ["/agent-server", "/openhands"];
  return {
    paths,
    requireMapped(asked) {
      if (asked.every((path) => paths.includes(path))) return;
      throw new ServiceError("bad_request", "not mapped");
    },
    lacking: async (_image, wanted) => wanted.filter((path) => !has.includes(path)),
    ready: async (path) => injectionOf(path),
    tend: async () => undefined,
    ...own,
  };
}

function injectionOf(path: string) {
  return { path, volume: `volume of ${path}`, image: "agent-server:1", imageId: ID };
}

function mountsOf(world: ReturnType<typeof createWorld>, id: string) {
  return world.engine.containers.get(id)?.plan.mounts;
}

function events(life: Life, id: string): string[] {
  return (life.get(id)?.events ?? []).map(({ reason, message }) => `${reason}: ${message}`);
}
