import { ServiceError } from "@remote-runtime/protocol";
import { describe, expect, it } from "vitest";
import type { ContainerPlan, EngineEvent } from "./engine.ts";
import { describeEngineContract, type ContractWork } from "./engine-contract.ts";
import { createFakeEngine } from "./fake-engine.ts";

describeEngineContract("createFakeEngine()", async () => {
  const fake = createFakeEngine({ images: ["debian:trixie-slim"] });
  const works = new Map<string, ContractWork>();
  return {
    engine: {
      ...fake,
      async start(id) {
        await fake.start(id);
        const work = works.get(id);
        if (work?.kind !== "exits") return;
        fake.write(id, work.stdout + work.stderr);
        fake.crash(id, work.exitCode);
      },
    },
    image: "debian:trixie-slim",
    replicaId: "test",
    commandFor(id, work) {
      works.set(id, work);
      return ["work"];
    },
    close: async () => undefined,
  };
});

describe("createFakeEngine() controls", () => {
  it("failOn() fails the next calls of that method only, and calls counts them", async () => {
    const engine = createFakeEngine({ images: ["a"] });
    engine.failOn("create", new ServiceError("bad_request", "no"), 2);
    await expect(engine.create(plan())).rejects.toThrow("no");
    await expect(engine.create(plan())).rejects.toThrow("no");
    await engine.create(plan());
    expect(engine.calls.create).toBe(3);
    expect(engine.containers.get("x")?.state).toEqual({ kind: "created" });
  });

  it("crash() tells watchers and keeps why the process ended", async () => {
    const engine = createFakeEngine({ images: ["a"] });
    const events: EngineEvent[] = [];
    engine.watch((event) => events.push(event), new AbortController().signal);
    await engine.create(plan());
    await engine.start("x");
    engine.crash("x", 137, { oomKilled: true });
    await Promise.resolve();
    expect(events.at(-1)).toEqual({ kind: "sandbox", id: "x", action: "died" });
    expect((await engine.inspect("x"))?.state).toEqual({
      kind: "exited",
      exitCode: 137,
      oomKilled: true,
    });
  });

  it("setAway() makes every call unavailable, and is told as disconnected and reconnected", async () => {
    const engine = createFakeEngine();
    const events: EngineEvent[] = [];
    engine.watch((event) => events.push(event), new AbortController().signal);
    engine.setAway(true);
    await expect(engine.list()).rejects.toMatchObject({ code: "unavailable" });
    expect(await engine.ping()).toBe(false);
    engine.setAway(false);
    expect(await engine.list()).toEqual([]);
    expect(events).toEqual([{ kind: "disconnected" }, { kind: "reconnected" }]);
  });

  it("pull() brings the image once the given function ends", async () => {
    const release = Promise.withResolvers<void>();
    const engine = createFakeEngine({
      pull: async (_reference, onProgress) => {
        onProgress("1/2 layers");
        await release.promise;
      },
    });
    const progress: string[] = [];
    const pulled = engine.pull("a:1", (line) => progress.push(line), new AbortController().signal);
    expect(await engine.image("a:1")).toBeUndefined();
    release.resolve();
    await pulled;
    expect(await engine.image("docker.io/library/a:1")).toMatchObject({ references: ["a:1"] });
    expect(progress).toEqual(["1/2 layers"]);
  });
});

function plan(): ContainerPlan {
  return {
    id: "x",
    replicaId: "r",
    recordLabel: "{}",
    image: "a",
    environment: {},
    groups: [],
    memoryBytes: 1,
    cpuShares: 1024,
    pidsLimit: 1,
  };
}
