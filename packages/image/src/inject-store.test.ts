import { ServiceError } from "@remote-runtime/protocol";
import { describe, expect, test } from "vitest";
import type { DiskUse } from "./disk-use.ts";
import type { ImageDisk } from "./image-disk.ts";
import type { EngineImage } from "./image-engine.ts";
import type { InjectEngine, InjectVolume, PathKind } from "./inject-engine.ts";
import { createInjectStore, type InjectStore } from "./inject-store.ts";
import { RegistryAwayError } from "./registry-away-error.ts";

const AGENT = { path: "/agent-server", image: "agent-server:1" };
const never = new AbortController().signal;
const silent = (): void => undefined;

describe("ready()", () => {
  test("makes one volume for all who ask at the same time, and gives each the same", async () => {
    const { store, world } = scene();
    const asked = Array.from({ length: 8 }, () => store.ready(AGENT.path, silent, never));
    const volume = { ...AGENT, volume: "/agent-server@sha256:1", imageId: "sha256:1" };
    expect(await Promise.all(asked)).toEqual(Array.from({ length: 8 }, () => volume));
    expect(world.made).toEqual(["/agent-server@sha256:1"]);
  });

  test("pulls an image that is missing, and says of what the progress is", async () => {
    const { store, world } = scene({ held: {} });
    const lines: string[] = [];
    await store.ready(AGENT.path, (line) => lines.push(line), never);
    expect(lines).toEqual(["/agent-server of agent-server:1: 10 %"]);
    expect(world.pulled).toEqual(["agent-server:1"]);
  });

  test("fails with the registry's reason and the name of the injected image, and is tried anew the next time", async () => {
    const { store, world } = scene({ held: {} });
    world.pullError = new ServiceError("not_found", "manifest unknown");
    await expect(store.ready(AGENT.path, silent, never)).rejects.toMatchObject({
      code: "not_found",
      message: "INJECT /agent-server=agent-server:1: manifest unknown",
    });
    world.pullError = null;
    expect(await store.ready(AGENT.path, silent, never)).toMatchObject({ imageId: "sha256:1" });
  });

  test("says of a registry that is away that it is, as the pull was tried often enough then", async () => {
    const { store, world } = scene({ held: {} });
    world.pullError = new RegistryAwayError("dial tcp: refused");
    await expect(store.ready(AGENT.path, silent, never)).rejects.toThrow(RegistryAwayError);
  });

  test.each<[PathKind, string]>([
    ["absent", "the image agent-server:1 has no such path"],
    ["other", "the image agent-server:1 has no directory there"],
  ])("refuses a path that is %s in the image", async (kind, reason) => {
    const { store } = scene({ kind });
    await expect(store.ready(AGENT.path, silent, never)).rejects.toMatchObject({
      code: "bad_request",
      message: `INJECT /agent-server=agent-server:1: ${reason}`,
    });
  });

  test("says of what it waits for room, and goes on when there is some", async () => {
    const { store, world } = scene();
    const room = (world.room = Promise.withResolvers<void>());
    const lines: string[] = [];
    const asked = [1, 2].map(() => store.ready(AGENT.path, (line) => lines.push(line), never));
    await settle();
    expect(world.made).toEqual([]);
    expect(lines).toEqual(Array(2).fill("/agent-server of agent-server:1: waiting for room"));
    room.resolve();
    await Promise.all(asked);
    expect(world.made).toEqual(["/agent-server@sha256:1"]);
    const use = { what: "copy of /agent-server", sizeBytes: 4096, isEndless: true };
    expect(world.uses).toMatchObject([use]);
    expect(world.uses[0]).not.toHaveProperty("patienceMs");
  });

  test("is disk_full where there is no room, with the name of the injected image", async () => {
    const { store, world } = scene();
    world.room = Promise.withResolvers<void>();
    world.room.reject(new ServiceError("disk_full", "copy of /agent-server: 3 GB are needed"));
    await expect(store.ready(AGENT.path, silent, never)).rejects.toMatchObject({
      code: "disk_full",
      message: "INJECT /agent-server=agent-server:1: copy of /agent-server: 3 GB are needed",
    });
    expect(world.made).toEqual([]);
  });

  test("lets one who gives up go, and the others have the volume", async () => {
    const { store, world } = scene();
    world.copy = Promise.withResolvers<void>();
    const controller = new AbortController();
    const impatient = store.ready(AGENT.path, silent, controller.signal);
    const patient = store.ready(AGENT.path, silent, never);
    controller.abort();
    await expect(impatient).rejects.toThrow();
    world.copy.resolve();
    expect(await patient).toMatchObject({ volume: "/agent-server@sha256:1" });
    expect(world.made).toHaveLength(1);
  });

  test("takes the new content once the image's name means another one", async () => {
    const { store, world } = scene();
    await store.ready(AGENT.path, silent, never);
    world.held = { "agent-server:1": "sha256:2" };
    expect(await store.ready(AGENT.path, silent, never)).toMatchObject({ imageId: "sha256:2" });
  });
});

describe("lacking()", () => {
  test("is what the image does not have, whatever it is that it has", async () => {
    const image = imageOf("sha256:stock");
    const of = (kind: PathKind) => scene({ kind }).store.lacking(image, [AGENT.path]);
    expect([await of("absent"), await of("directory"), await of("other")]).toEqual([
      [AGENT.path],
      [],
      [],
    ]);
  });
});

describe("requireMapped()", () => {
  test("names what is not mapped and what is", () => {
    const { store } = scene();
    store.requireMapped([AGENT.path]);
    const message = "inject: /other is not mapped here; INJECT maps /agent-server";
    expect(() => store.requireMapped([AGENT.path, "/other"])).toThrow(message);
  });
});

test("a start takes the volume that is being made beforehand, and makes it itself where that had no room", async () => {
  const { store, world } = scene();
  world.copy = Promise.withResolvers<void>();
  const tending = store.tend();
  await settle();
  const ready = store.ready(AGENT.path, silent, never);
  await settle();
  world.copy.resolve();
  await Promise.all([tending, ready]);
  expect([world.made, world.uses.length]).toEqual([["/agent-server@sha256:1"], 1]);

  const other = scene();
  other.world.room = Promise.withResolvers<void>();
  const failing = other.store.tend().catch((error: unknown) => error);
  await settle();
  const later = other.store.ready(AGENT.path, silent, never);
  await settle();
  const { reject } = other.world.room;
  other.world.room = null;
  reject(new ServiceError("disk_full", "no room"));
  expect(await later).toMatchObject({ volume: "/agent-server@sha256:1" });
  expect(await failing).toMatchObject({ code: "disk_full" });
});

describe("tend()", () => {
  test("makes what can be made without a pull, and removes what no mapping leads to but what is in use", async () => {
    const { store, world } = scene();
    const [old, unmapped, used] = ["sha256:old", "sha256:1", "sha256:used"];
    const volumes = [volumeOf(AGENT.path, old), volumeOf("/gone", unmapped)];
    world.volumes = [...volumes, volumeOf(AGENT.path, used)];
    world.inUse = [nameOf(AGENT.path, used)];
    await store.tend();
    expect(world.volumes.map(({ name }) => name)).toEqual([
      "/agent-server@sha256:used",
      "/agent-server@sha256:1",
    ]);
    expect(world.pulled).toEqual([]);
  });

  test("keeps what may be the mapping's while the engine does not hold its image", async () => {
    const { store, world } = scene({ held: {} });
    world.volumes = [volumeOf(AGENT.path, "sha256:any")];
    await store.tend();
    expect(world.volumes).toHaveLength(1);
  });

  test("waits for no room", async () => {
    const { store, world } = scene();
    await store.tend();
    expect(world.uses).toMatchObject([{ what: "copy of /agent-server", patienceMs: 0 }]);
  });

  test("removes what is outdated though something else cannot be made, and says so then", async () => {
    const { store, world } = scene({ kind: "absent" });
    world.volumes = [volumeOf("/gone", "sha256:1")];
    await expect(store.tend()).rejects.toThrow("has no such path");
    expect(world.volumes).toEqual([]);
  });
});

async function settle(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

type World = {
  /** Until then there is no room. */
  room: PromiseWithResolvers<void> | null;
  uses: DiskUse[];
  held: Record<string, string>;
  pulled: string[];
  pullError: ServiceError | null;
  made: string[];
  copy: PromiseWithResolvers<void> | null;
  volumes: InjectVolume[];
  inUse: string[];
};

function scene({
  held = { "agent-server:1": "sha256:1" },
  kind = "directory",
}: { held?: Record<string, string>; kind?: PathKind } = {}): { store: InjectStore; world: World } {
  const world: World = {
    room: null,
    uses: [],
    held,
    pulled: [],
    pullError: null,
    made: [],
    copy: null,
    volumes: [],
    inUse: [],
  };
  const engine: InjectEngine = {
    pathKind: async () => kind,
    sizeOf: async () => 4096,
    async ensureVolume({ path, imageId }, inRoom) {
      return inRoom(async () => {
        await world.copy?.promise;
        world.made.push(nameOf(path, imageId));
        world.volumes.push(volumeOf(path, imageId));
        return nameOf(path, imageId);
      });
    },
    volumes: async () => [...world.volumes],
    async removeVolume(name) {
      if (world.inUse.includes(name)) return false;
      world.volumes = world.volumes.filter((volume) => volume.name !== name);
      return true;
    },
    clean: async () => undefined,
  };
  const heldImage = (reference: string): EngineImage | undefined => {
    const id = world.held[reference];
    return id === undefined ? undefined : imageOf(id);
  };
  const images = {
    held: async (reference: string) => heldImage(reference),
    async fetch(reference: string, _policy: unknown, onProgress: (progress: string) => void) {
      if (world.pullError) throw world.pullError;
      onProgress("10 %");
      world.pulled.push(reference);
      world.held = { [reference]: "sha256:1" };
      return imageOf("sha256:1");
    },
  };
  const disk: Pick<ImageDisk, "within"> = {
    async within(use, work) {
      world.uses.push(use);
      if (world.room) use.onWait("waiting for room");
      await world.room?.promise;
      return work(use.signal);
    },
  };
  const store = createInjectStore({ engine, images, mappings: [AGENT], disk, signal: never });
  return { store, world };
}

function nameOf(path: string, imageId: string): string {
  return `${path}@${imageId}`;
}

function volumeOf(path: string, imageId: string): InjectVolume {
  return { path, imageId, name: nameOf(path, imageId) };
}

function imageOf(id: string): EngineImage {
  return { id, references: [], sizeBytes: 1, createdAt: 0, entrypoint: [], command: [] };
}
