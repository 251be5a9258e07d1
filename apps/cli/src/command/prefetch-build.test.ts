import { mkdtempDisposable, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { cli, replica, type ServedHandlers, startGateway } from "../cli-fixture.ts";

/** A gateway where no image is anywhere, which takes builds and never ends them; and contexts of the images named. */
async function scene(names: readonly string[], handlers: Partial<ServedHandlers> = {}) {
  await using made = new AsyncDisposableStack();
  const pinned: string[] = [];
  const gateway = made.use(
    await startGateway({
      replicas: async () => ({ replicas: [replica()] }),
      imageExists: async () => ({ exists: false, image: null, url: "" }),
      build: async () => ({ build_id: "b", url: "" }),
      buildStatus: async () => ({ status: "WORKING", image: "", error: "" }),
      async pin({ body: { images } }) {
        pinned.push(...images);
        return { pinned: images.length };
      },
      ...handlers,
    }),
  );
  const folder = made.use(await mkdtempDisposable(join(tmpdir(), "prefetch-build-")));
  for (const name of names) await writeFile(join(folder.path, `${name}.tar.gz`), "an archive");
  const kept = made.move();
  return {
    gateway,
    pinned,
    contexts: folder.path,
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

describe("prefetch --build", () => {
  test("says at Ctrl-C what goes on, and what stays pinned", async () => {
    const interrupt = new AbortController();
    let looks = 0;
    await using server = await scene(["a", "b", "c"], {
      build: async () => ({ build_id: `b${looks}`, url: "" }),
      async buildStatus() {
        looks += 1;
        const status = looks === 1 ? "SUCCESS" : "WORKING";
        return { status, image: "", error: "" };
      },
    });
    const { gateway, contexts, pinned } = server;
    const done = await cli(["prefetch", "-", "--pin", "--build", contexts], {
      gateway,
      typed: "a\nb\nc\n",
      signal: interrupt.signal,
      onSleep() {
        if (looks > 4) interrupt.abort();
      },
    });
    expect(pinned).toHaveLength(3);
    expect(done.code).toBe(130);
    expect(done.stderr).toMatch(/^1 of 3 builds: docker.io\/library\/.:latest built\n/);
    expect(done.stderr).toContain(
      "remote-runtime: 1 of 3 builds over, 2 builds going on without this command, the others not begun; " +
        "the same command goes on with it; what was pinned stays so, `unpin` takes that back\n",
    );
  });

  test("says at Ctrl-C of what it was just sending that the servers may have it", async () => {
    const interrupt = new AbortController();
    await using server = await scene(["a"], {
      async build() {
        interrupt.abort();
        return { build_id: "b", url: "" };
      },
    });
    const args = ["prefetch", "-", "--build", server.contexts];
    const { signal } = interrupt;
    const done = await cli(args, { gateway: server.gateway, typed: "a\n", signal });
    expect(done.code).toBe(130);
    expect(done.stderr).toContain(
      "0 of 1 builds over, 0 builds going on without this command, 1 cut off while being sent, " +
        "which the servers may have, the others not begun",
    );
  });

  test("finds what is wrong with the files before it pins anything", async () => {
    await using server = await scene(["other"]);
    const { gateway, contexts, pinned } = server;
    for (const folder of [contexts, join(contexts, "absent")]) {
      const args = ["prefetch", "-", "--pin", "--build", folder];
      const { code, stderr } = await cli(args, { gateway, typed: "a\nb\n" });
      expect(code, stderr).toBe(2);
    }
    expect(pinned).toEqual([]);
  });
});
