import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ServiceError } from "@remote-runtime/protocol";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import type { BuildEngine, EngineBuild } from "./build-engine.ts";
import { unboundedDisk } from "./image-disk.ts";
import { createBuilds, type BuildRequest, type BuildsOptions } from "./builds.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "builds-"));
});
afterAll(() => rm(folder, { recursive: true }));

type Running = EngineBuild & { succeed(): void; fail(error: unknown): void };

/** An engine whose builds end when the test says so, or when they are given up. */
function fixture(options: Partial<BuildsOptions> = {}) {
  const running: Running[] = [];
  const engine: BuildEngine = {
    build(build) {
      const { promise, resolve, reject } = Promise.withResolvers<string>();
      build.signal.addEventListener("abort", () =>
        reject(new ServiceError("unavailable", "given up")),
      );
      running.push({ ...build, succeed: () => resolve("sha256:1"), fail: reject });
      return promise;
    },
  };
  const onBuilt = vi.fn(async () => undefined);
  const builds = createBuilds({
    engine,
    maxBuilds: () => 1,
    timeoutMs: 60_000,
    folder,
    newId: randomUUID,
    onBuilt,
    log: { warn: () => undefined },
    ...options,
  });
  const discard = vi.fn(async () => undefined);
  const submit = (changes: Partial<BuildRequest> = {}): string =>
    builds.submit({
      owner: "alice",
      contextPath: "/context",
      digest: "digest",
      references: ["a:1", "a:2"],
      baseImages: [],
      useCache: true,
      discard,
      ...changes,
    });
  const ended = (id: string, owner = "alice") =>
    vi.waitUntil(() => {
      const view = builds.view(id, owner);
      return view && !["QUEUED", "WORKING"].includes(view.status) ? view : undefined;
    });
  return { builds, running, onBuilt, discard, submit, ended };
}

describe("createBuilds()", () => {
  test("keeps what is built on the disk until it is pushed and ten minutes longer, what fails no longer", async () => {
    const release = vi.fn();
    const keep = vi.fn((names: readonly string[]) =>
      names.length > 0 ? release : () => undefined,
    );
    const published = Promise.withResolvers<void>();
    const publish = vi.fn(() => published.promise);
    const disk = { ...unboundedDisk, keep };
    const { submit, running, ended } = fixture({ disk, publisher: { publish } });
    const id = submit();
    await vi.waitUntil(() => running.length === 1);
    expect(keep).toHaveBeenCalledWith(["docker.io/library/a:1", "docker.io/library/a:2"]);
    running[0]?.succeed();
    await vi.waitUntil(() => publish.mock.calls.length === 1);
    expect(release).not.toHaveBeenCalled();
    published.resolve();
    await ended(id);
    const failed = submit({ digest: "other" });
    await vi.waitUntil(() => running.length === 2);
    running[1]?.fail(new Error("broken"));
    await ended(failed);
    expect(release.mock.calls).toEqual([[600_000], [0]]);
  });

  test("brings what it begins from before it builds, and keeps it until the end", async () => {
    const release = vi.fn();
    const keep = vi.fn((names: readonly string[]) =>
      names.includes("base") ? release : () => undefined,
    );
    const brought = Promise.withResolvers<void>();
    const bring = vi.fn(() => brought.promise);
    const { submit, running, ended } = fixture({
      disk: { ...unboundedDisk, keep },
      bases: { bring },
    });
    const id = submit({ baseImages: ["base"] });
    expect(bring).toHaveBeenCalledWith(["base"], expect.anything(), expect.anything());
    expect(running).toEqual([]);
    brought.resolve();
    await vi.waitUntil(() => running.length === 1);
    expect(release).not.toHaveBeenCalled();
    running[0]?.succeed();
    await ended(id);
    expect(release.mock.calls).toEqual([[]]);
  });

  test("is a success only when the image is where it is to be had, and else says why not", async () => {
    const published = Promise.withResolvers<void>();
    const publish = vi.fn(() => published.promise);
    const { submit, running, builds, ended } = fixture({ publisher: { publish } });
    const id = submit();
    await vi.waitUntil(() => running.length === 1);
    running[0]?.succeed();
    await vi.waitUntil(() => publish.mock.calls.length === 1);
    expect(builds.view(id, "alice")).toMatchObject({ status: "WORKING" });
    published.reject(new ServiceError("bad_gateway", "not pushed: denied"));
    expect(await ended(id)).toMatchObject({
      status: "INTERNAL_ERROR",
      error: expect.stringContaining("not pushed: denied"),
    });
  });

  test("says QUEUED, WORKING and SUCCESS, the last only when the image is known here", async () => {
    const { builds, running, onBuilt, discard, submit, ended } = fixture();
    const known = Promise.withResolvers<undefined>();
    onBuilt.mockReturnValueOnce(known.promise);
    const first = submit();
    const second = submit({ digest: "other" });
    expect(builds.view(first, "alice")).toEqual({ status: "WORKING", image: "a:1", error: "" });
    expect(builds.view(second, "alice")?.status).toBe("QUEUED");
    expect(running[0]).toMatchObject({ references: ["a:1", "a:2"], useCache: true });
    running[0]?.onLog("=> step\nhello\n");
    running[0]?.succeed();
    await vi.waitUntil(() => onBuilt.mock.calls.length === 1);
    expect(builds.view(first, "alice")?.status).toBe("WORKING");
    known.resolve(undefined);
    expect(await ended(first)).toEqual({ status: "SUCCESS", image: "a:1", error: "" });
    expect(await builds.log(first, "alice")).toEqual({ text: "=> step\nhello\n", isCut: false });
    await vi.waitUntil(() => running.length === 2);
    expect(discard).toHaveBeenCalledTimes(1);
  });

  test("shows a build to its owner only", async () => {
    const { builds, submit } = fixture();
    const id = submit();
    expect(builds.view(id, "bob")).toBeUndefined();
    expect(await builds.log(id, "bob")).toBeUndefined();
  });

  test("builds once what is asked for twice at once, and again afterwards", async () => {
    const { builds, running, discard, submit, ended } = fixture({ maxBuilds: () => 5 });
    const first = submit();
    const second = submit({ owner: "bob" });
    expect(second).not.toBe(first);
    expect(running).toHaveLength(1);
    submit({ references: ["a:1"] });
    submit({ references: ["docker.io/library/a:1"] });
    submit({ useCache: false });
    expect(running).toHaveLength(3);
    running[0]?.succeed();
    await ended(first);
    expect(builds.view(second, "bob")?.status).toBe("SUCCESS");
    expect(discard).toHaveBeenCalledTimes(3);
    submit();
    expect(running).toHaveLength(4);
  });

  test.each([
    [new ServiceError("bad_request", "exit code 1"), "FAILURE", "exit code 1\nlast words"],
    [new ServiceError("unavailable", "engine away"), "INTERNAL_ERROR", "engine away\nlast words"],
    [new Error("a bug"), "INTERNAL_ERROR", expect.stringContaining("internal error")],
  ])("says of %s: %s", async (error, status, text) => {
    const { running, submit, ended, discard } = fixture();
    const id = submit();
    running[0]?.onLog("last words\n");
    running[0]?.fail(error);
    expect(await ended(id)).toEqual({ status, image: "a:1", error: text });
    expect(discard).toHaveBeenCalledTimes(1);
  });

  test("says TIMEOUT of one that takes too long, and CANCELLED at the end of the server", async () => {
    const late = fixture({ timeoutMs: 10 });
    expect(await late.ended(late.submit())).toMatchObject({ status: "TIMEOUT" });
    const { builds, submit, ended } = fixture();
    const [running, waiting] = [submit(), submit({ digest: "other" })];
    builds.close();
    expect(await ended(running)).toMatchObject({ status: "CANCELLED" });
    expect(await ended(waiting)).toMatchObject({ status: "CANCELLED" });
  });

  test("keeps of logs no more than fits: the oldest give way, all but their ends, whatever runs", async () => {
    const { builds, running, submit, ended } = fixture({ maxBuilds: () => 4, maxLogBytes: 25 });
    const ids = ["1", "2", "3", "4"].map((digest) => submit({ digest }));
    for (const [at, build] of running.entries()) build.onLog(`ten bytes${at}`);
    for (const at of [1, 3, 2]) {
      running[at]?.succeed();
      await ended(ids[at] ?? "");
    }
    const logs = (): Promise<unknown[]> => Promise.all(ids.map((id) => builds.log(id, "alice")));
    const shrunk = "… only the end is kept, as newer logs needed the room\nten bytes";
    await vi.waitFor(async () =>
      expect(await logs()).toEqual([
        { text: "ten bytes0", isCut: false },
        { text: `${shrunk}1\n`, isCut: true },
        { text: "ten bytes2", isCut: false },
        { text: "ten bytes3", isCut: false },
      ]),
    );
    running[0]?.succeed();
    await ended(ids[0] ?? "");
    await vi.waitFor(async () =>
      expect(await logs()).toEqual([
        { text: "ten bytes0", isCut: false },
        { text: `${shrunk}1\n`, isCut: true },
        { text: "ten bytes2", isCut: false },
        { text: `${shrunk}3\n`, isCut: true },
      ]),
    );
  });

  test("keeps the last thousand, with the end of what each has printed", async () => {
    const { builds, running, submit, ended } = fixture({ maxBuilds: () => 2000 });
    const first = submit();
    running[0]?.onLog(`${"x".repeat(10_000)}\n${"line\n".repeat(100)}`);
    running[0]?.fail(new ServiceError("bad_request", "no"));
    const { error } = await ended(first);
    expect(error).toBe(`no\n${Array.from({ length: 40 }, () => "line").join("\n")}`);
    const ids = Array.from({ length: 999 }, (_, i) => submit({ digest: String(i) }));
    for (const build of running) build.succeed();
    await ended(ids.at(-1) ?? "");
    expect(builds.view(first, "alice")?.status).toBe("FAILURE");
    submit();
    expect(builds.view(first, "alice")).toBeUndefined();
  });
});
