import { randomBytes } from "node:crypto";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import {
  ensureStubImage,
  postLargeBuild,
  pruneBuildCache,
  watchMemory,
} from "@remote-runtime/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { apiOf } from "../support/api.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { until } from "../support/until.ts";
import {
  acceptedBuild,
  buildStatus,
  contextOf,
  endedBuild,
  postBuild,
  removeImages,
} from "./build-client.ts";

const MIB = 1024 * 1024;
const marker = `test-build-${randomBytes(4).toString("hex")}`;
const repository = `localhost/${marker}/runtime`;
const began = new Date(Date.now() - 1000);
let stub: string;
let server: TestServer;

beforeAll(async () => {
  stub = await ensureStubImage({ log: console.error });
  server = await startServer({ env: { MAX_BUILDS: "1" } });
});

afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await removeImages(repository);
  await pruneBuildCache(marker, began);
});

/** Each build has a step of its own, which the engine cannot have done before. */
const step = (): string => `RUN : ${marker} ${randomBytes(6).toString("hex")}`;

describe("npm start's server", () => {
  test("builds an image with all its names, says so, and starts a sandbox of it", async () => {
    const mount = `--mount=type=cache,target=/cache,id=${marker}`;
    const context = await contextOf({
      Dockerfile: `FROM ${stub}\nCOPY code /built\n${step()}\nRUN ${mount} echo ${marker} > /cache/a && cat /cache/a\n`,
      "code/deep/word.txt": "from the context",
    });
    const names = ["hash", "lock", "version"].map((tag) => `${repository}:${tag}`);
    const [target = "", ...tags] = names;
    const { build_id, url } = await acceptedBuild(server, { context, target, tags });
    expect(url).toBe(server.url);
    const ended = await endedBuild(server, build_id);
    expect(ended).toEqual({ status: "SUCCESS", image: target, error: "" });

    const api = apiOf(server);
    for (const name of names) {
      const answer = await api.get(`/image_exists?image=${name}`);
      expect(answer.json()).toMatchObject({
        exists: true,
        image: { upload_time: expect.any(String), image_size_bytes: expect.any(Number) },
      });
    }
    const log = (await api.get(`/build_logs?build_id=${build_id}`)).json();
    expect(log).toMatchObject({ build_id, truncated: false });
    expect(log).toHaveProperty("log", expect.stringMatching(new RegExp(`^${marker}$`, "m")));
    const other = apiOf({ url: server.url, key: server.otherKey });
    expect((await other.get(`/build_logs?build_id=${build_id}`)).status).toBe(404);
    expect(await buildStatus({ url: server.url, key: server.otherKey }, build_id)).toMatchObject({
      status: "INTERNAL_ERROR",
    });

    const command = ["stub_agent", "60000"];
    const session_id = `${marker}-built`;
    const runtime = await api.startReady({ image: target, command, session_id });
    await api.stop(runtime.runtime_id);
    await until(
      () => server.containers(),
      (containers) => containers.length === 0,
      { what: "no container" },
    );
  });

  test("ends a build that fails with the end of its output, and says that some was left out", async () => {
    const talk = "yes 0123456789 | head -c 3000000";
    const context = await contextOf({
      Dockerfile: `FROM ${stub}\n${step()} && ${talk}\nRUN echo last words; exit 3 # ${marker}\n`,
    });
    const { build_id } = await acceptedBuild(server, { context, target: `${repository}:fails` });
    const ended = await endedBuild(server, build_id);
    expect(ended.status).toBe("FAILURE");
    expect(ended.error).toMatch(/exit code: 3[^]*last words/);
    const log = (await apiOf(server).get(`/build_logs?build_id=${build_id}`)).json();
    expect(log).toMatchObject({ truncated: true, log: expect.stringMatching(/^last words$/m) });
    const answer = await apiOf(server).get(`/image_exists?image=${repository}:fails`);
    expect(answer.json()).toMatchObject({ exists: false });
  });

  test("builds once what two clients want at once, while another build waits", async () => {
    const context = await contextOf({
      Dockerfile: `FROM ${stub}\n${step()}\nRUN sleep 3 # ${marker}\n`,
    });
    const wanted = { context, target: `${repository}:twice` };
    const bob = { url: server.url, key: server.otherKey };
    const first = await acceptedBuild(server, wanted);
    const second = await acceptedBuild(bob, wanted);
    const third = await acceptedBuild(bob, { ...wanted, target: `${repository}:once` });
    expect(second.build_id).not.toBe(first.build_id);
    expect((await buildStatus(bob, second.build_id)).status).toBe("WORKING");
    expect((await buildStatus(bob, third.build_id)).status).toBe("QUEUED");
    expect((await endedBuild(server, first.build_id)).status).toBe("SUCCESS");
    expect((await buildStatus(bob, second.build_id)).status).toBe("SUCCESS");
    expect((await endedBuild(bob, third.build_id)).status).toBe("SUCCESS");
  });

  test("refuses bad forms with a reason, and keeps nothing of them", async () => {
    const good = await contextOf({ Dockerfile: `FROM ${stub}\n` });
    const target = `${repository}:never`;
    const bad = [
      { context: "not base64!", target },
      { context: Buffer.from("no archive").toString("base64"), target },
      { context: await contextOf({ "code/Dockerfile": "FROM a" }), target },
      { context: good, target: "Not An Image" },
      { context: good, target: `${repository}@sha256:${"0".repeat(64)}` },
      { context: good, target, tags: ["a b"] },
    ];
    for (const wanted of bad) {
      const { status, body } = await postBuild(server, wanted);
      expect(status).toBe(400);
      expect(body).toMatchObject({ detail: expect.any(String), error: expect.any(String) });
    }
    const headers = { "X-API-Key": "wrong" };
    const denied = await fetch(`${server.url}/build`, { method: "POST", headers, body: good });
    expect(denied.status).toBe(401);
    const left = await readdir(join(server.dataDir, "builds"));
    expect(left.filter((name) => name.startsWith("upload-"))).toEqual([]);
  });

  test("takes an archive of 200 MB, of which no more than a little is in memory", async () => {
    // The first upload loads what later ones have.
    expect(
      (await postLargeBuild(server, { target: `${repository}:small`, bytes: MIB })).status,
    ).toBe(202);
    const watch = await watchMemory(server.url);
    const posted = await postLargeBuild(server, { target: `${repository}:large`, bytes: 200e6 });
    expect(posted.status).toBe(202);
    const { build_id } = JSON.parse(posted.body) as { build_id: string };
    expect((await endedBuild(server, build_id)).status).toBe("SUCCESS");
    expect((await watch.end()) / MIB).toBeLessThan(30);
  });

  // The last one: it begins another life of the server.
  test("does not know a build after a crash, says so, and builds again", async () => {
    const context = await contextOf({
      Dockerfile: `FROM ${stub}\n${step()}\nRUN sleep 600 # ${marker}\n`,
    });
    const { build_id } = await acceptedBuild(server, { context, target: `${repository}:lost` });
    await until(
      () => buildStatus(server, build_id),
      ({ status }) => status === "WORKING",
    );
    await server.kill();
    await server.restart();
    const lost = await buildStatus(server, build_id);
    expect(lost).toMatchObject({
      status: "INTERNAL_ERROR",
      error: expect.stringContaining("anew"),
    });
    // Another one has the engine for itself again.
    const next = await contextOf({ Dockerfile: `FROM ${stub}\n${step()}\n` });
    const after = await acceptedBuild(server, { context: next, target: `${repository}:after` });
    expect((await endedBuild(server, after.build_id)).status).toBe("SUCCESS");
    // The archive goes a moment after the word of success.
    await until(
      () => readdir(join(server.dataDir, "builds")),
      (files) => files.join() === `${after.build_id}.log`,
    );
  });
});
