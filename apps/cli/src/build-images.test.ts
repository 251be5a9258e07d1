import { mkdtempDisposable, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient } from "@remote-runtime/client";
import { ServiceError } from "@remote-runtime/protocol";
import { expect, test } from "vitest";
import { buildImages, type BuildOutcome } from "./build-images.ts";
import { KEY, replica, type ServedHandlers, startGateway } from "./cli-fixture.ts";

/** Has all of these images built by a server that behaves so, on a clock that runs as fast as it is waited for. */
async function built(
  images: readonly string[],
  handlers: Partial<ServedHandlers>,
): Promise<{ outcomes: BuildOutcome[]; waits: number[] }> {
  await using gateway = await startGateway({
    replicas: async () => ({
      replicas: [replica(), replica({ id: "replica-2" }), replica({ id: "3", state: "gone" })],
    }),
    imageExists: async () => ({ exists: false, image: null, url: "" }),
    build: async () => ({ build_id: "b", url: "" }),
    buildStatus: async () => ({ status: "SUCCESS", image: "", error: "" }),
    ...handlers,
  });
  await using folder = await mkdtempDisposable(join(tmpdir(), "build-images-"));
  const path = join(folder.path, "context.tar.gz");
  await writeFile(path, "an archive");
  const waits: number[] = [];
  let now = 0;
  const outcomes = await buildImages(
    images.map((image) => ({ image, context: { kind: "archive", path } })),
    {
      client: createClient({ baseUrl: gateway.url, apiKey: KEY }),
      url: gateway.url,
      apiKey: KEY,
      terminal: {
        now: () => now,
        async sleep(ms) {
          waits.push(ms);
          now += ms;
        },
        signal: new AbortController().signal,
      },
      onOutcome: () => undefined,
    },
  );
  return { outcomes, waits };
}

test("buildImages() sends again what servers had no room for, and looks again where one did not answer", async () => {
  const uploads = [new ServiceError("too_many_requests", "100 builds wait here already")];
  const looks = [new ServiceError("unavailable", "replica one does not answer")];
  const { outcomes, waits } = await built(["tool:1"], {
    async build() {
      const error = uploads.pop();
      if (error) throw error;
      return { build_id: "b", url: "" };
    },
    async buildStatus() {
      const error = looks.pop();
      if (error) throw error;
      return { status: "SUCCESS", image: "tool:1", error: "" };
    },
  });
  expect(outcomes).toEqual([{ kind: "built", image: "tool:1" }]);
  expect(waits).toEqual([10_000, 2_000]);
});

test("buildImages() asks and uploads again while servers are away, for ten minutes", async () => {
  const away = new ServiceError("unavailable", "no replica is there");
  const asked = [away, away];
  const uploads = [away];
  const { outcomes, waits } = await built(["tool:1"], {
    async imageExists() {
      const error = asked.pop();
      if (error) throw error;
      return { exists: false, image: null, url: "" };
    },
    async build() {
      const error = uploads.pop();
      if (error) throw error;
      return { build_id: "b", url: "" };
    },
  });
  expect(outcomes).toEqual([{ kind: "built", image: "tool:1" }]);
  expect(waits).toEqual([2_000, 2_000, 2_000]);
  const never = await built(["tool:1"], { imageExists: () => Promise.reject(away) });
  expect(never.outcomes).toEqual([{ kind: "failed", image: "tool:1", error: away.message }]);
  expect(never.waits).toHaveLength(300);
});

test("buildImages() takes no for an answer, and gives up a build that nobody answers for", async () => {
  const away = new ServiceError("unavailable", "replica one does not answer");
  const { outcomes } = await built(["tool:1", "tool:2"], {
    async build() {
      return { build_id: "b", url: "" };
    },
    buildStatus: () => Promise.reject(away),
  });
  const error = "replica one does not answer";
  expect(outcomes).toEqual(["tool:1", "tool:2"].map((image) => ({ kind: "failed", image, error })));
  const refused = await built(["tool:1"], {
    build: () => Promise.reject(new ServiceError("bad_request", "context: has no Dockerfile")),
  });
  expect(refused.outcomes).toEqual([
    { kind: "failed", image: "tool:1", error: "context: has no Dockerfile" },
  ]);
});

test("buildImages() waits an hour for the end of a build, and no longer", async () => {
  const HOUR_MS = 3_600_000;
  const working = async () => ({ status: "WORKING" as const, image: "", error: "" });
  const { outcomes, waits } = await built(["tool:1"], { buildStatus: working });
  const error = "build b is not over after 60 min";
  expect(outcomes).toEqual([{ kind: "failed", image: "tool:1", error }]);
  const waited = waits.reduce((sum, ms) => sum + ms, 0);
  expect(waited).toBe(HOUR_MS);
});

test("buildImages() asks for four builds at once of each replica", async () => {
  let [running, most] = [0, 0];
  const eight = Promise.withResolvers<void>();
  const images = Array.from({ length: 20 }, (_, i) => `tool:${i}`);
  await built(images, {
    async imageExists() {
      running += 1;
      most = Math.max(most, running);
      if (running === 8) eight.resolve();
      await eight.promise;
      running -= 1;
      return { exists: true, image: null, url: "" };
    },
  });
  expect(most).toBe(8);
});
