import { statfs } from "node:fs/promises";
import { tmpdir } from "node:os";
import { describe, expect, it } from "vitest";
import { findDiskSpace } from "./find-disk-space.ts";
import { startStubEngine } from "./stub-engine.ts";

const MIB = 1024 * 1024;

/** An engine whose data root is a folder that is there, with 300 MiB of layers and 100 MiB of build cache. */
function startEngine() {
  return startStubEngine((request, response) => {
    const isUsage = request.url?.startsWith("/system/df?type=image&type=build-cache");
    const cache = [
      { Size: 100 * MIB, Shared: false },
      { Size: 50 * MIB, Shared: true },
    ];
    const usage = { LayersSize: 300 * MIB, BuildCache: cache };
    const info = { ID: "engine-1", Name: "host-1", DockerRootDir: tmpdir() };
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify(isUsage ? usage : info));
  });
}

function host(name: string, engineId?: string) {
  return { name, engineIdAt: async () => engineId };
}

describe("findDiskSpace()", () => {
  it.each([
    ["has a data root with the engine's own id", host("host-2", "engine-1"), true],
    ["has a data root with another id", host("host-1", "engine-2"), false],
    ["has the engine's name where the id cannot be read", host("host-1"), true],
    ["has another name", host("host-2"), false],
  ])("looks into the data root only where this machine %s", async (_, machine, isKnown) => {
    await using engine = await startEngine();
    const source = await findDiskSpace(engine.docker, { isContained: false, host: machine });
    expect(source.description).toBe(isKnown ? `the file system of ${tmpdir()}` : undefined);
    const { bsize, blocks } = await statfs(tmpdir());
    const space = await source.space();
    if (!isKnown) expect(space).toBeUndefined();
    else expect(space?.totalBytes).toBeGreaterThan((bsize * blocks) / 4);
  });

  it("takes what the engine mounts where this process is in a container of it", async () => {
    await using engine = await startEngine();
    const source = await findDiskSpace(engine.docker, { isContained: true });
    expect(source.description).toBe("the file system of /etc/hostname");
  });

  it("counts layers and build cache against a limit, without what is counted twice", async () => {
    await using engine = await startEngine();
    const options = { isContained: false, host: host("host-2"), limitBytes: 1_000 * MIB };
    const source = await findDiskSpace(engine.docker, options);
    expect(await source.space()).toEqual({ totalBytes: 1_000 * MIB, freeBytes: 600 * MIB });
    const small = await findDiskSpace(engine.docker, { ...options, limitBytes: 1, path: tmpdir() });
    expect(await small.space()).toEqual({ totalBytes: 1, freeBytes: 0 });
  });

  it("refuses a path that leads nowhere", async () => {
    await using engine = await startEngine();
    const path = "/nowhere/to-be/found";
    await expect(findDiskSpace(engine.docker, { path, isContained: false })).rejects.toMatchObject({
      code: "bad_request",
      message: "/nowhere/to-be/found is no path on this machine",
    });
  });
});
