import { randomUUID } from "node:crypto";
import { beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { call } from "../support/call.ts";
import { type StubServer, startStubServer } from "../support/stub-server.ts";
import { stubStart } from "../support/stub-start.ts";
import { WireRuntime } from "../support/wire-runtime.ts";

let server: StubServer;
beforeAll(async () => {
  server = await startStubServer();
  return () => server[Symbol.asyncDispose]();
});

const Batch = z.array(WireRuntime.nullable());

async function batch(query: string): Promise<(string | undefined)[]> {
  const answer = await server.api.get(`/sessions/batch?${query}`);
  expect(answer.status).toBe(200);
  return Batch.parse(answer.json()).map((entry) => entry?.session_id);
}

describe.concurrent("looking a runtime up", () => {
  test("GET /sessions/{unknown} and /runtime/{unknown} are a clean 404 with words", async () => {
    for (const path of [
      "/sessions/none",
      "/runtime/none",
      "/runtime/abcdefghijklmnop",
      `/sessions/${"x".repeat(2_000)}`,
    ]) {
      const answer = await server.api.get(path);
      expect(answer.status).toBe(404);
      expect(answer.json()).toEqual({
        detail: expect.stringMatching(/^no (session|runtime) /),
        error: expect.any(String),
      });
    }
  });

  test("GET /sessions/batch has one entry for each position, null where there is none", async () => {
    const { api, image } = server;
    const a = `a.${randomUUID()}`;
    const b = `B-${randomUUID()}`;
    const started = await Promise.all(
      [a, b].map((id) => api.start(stubStart(image, { session_id: id }))),
    );
    expect(await batch(`ids=${a}&ids=none&ids=${b}`)).toEqual([a, undefined, b]);
    expect(await batch(`ids=${b}&ids=${b}&ids=${b.toLowerCase()}&ids=${a}`)).toEqual([
      b,
      b,
      undefined,
      a,
    ]);
    expect(await batch(`ids=${a},none,${b}`)).toEqual([a, undefined, b]);
    expect(await batch("ids=none")).toEqual([undefined]);
    expect(await batch("")).toEqual([]);
    const many = Array.from({ length: 500 }, (_, index) => (index === 499 ? a : randomUUID()));
    expect((await batch(many.map((id) => `ids=${id}`).join("&"))).findIndex((id) => id === a)).toBe(
      499,
    );
    expect(await (await server.otherApi.get(`/sessions/batch?ids=${a}&ids=${b}`)).json()).toEqual([
      null,
      null,
    ]);
    await Promise.all(started.map(({ runtime_id: id }) => api.stop(id)));
  });

  test("finds session ids of every client family exactly as they were sent", async () => {
    const { api, image } = server;
    const ids = [
      "445f16473cb145b6b7b3855883f5faa9",
      "agent-server-f609d559-5099-4851-8cd7-0785e70098af",
      "4n3UBlLyRhVB0F1m7fSGRF",
      "445f1647-3cb1-45b6-b7b3-855883f5faa9-0123456789abcdef",
      "someone.app.riff",
      "batch",
      "with a blank/and a slash?&#é",
      "x".repeat(2_000),
    ];
    for (const id of ids) {
      const started = await api.start({ image, session_id: id });
      expect(started.session_id).toBe(id);
      // "batch" is an id as well, but its path is that of the batch.
      if (id !== "batch") expect((await api.session(id)).runtime_id).toBe(started.runtime_id);
      expect(await batch(`ids=${encodeURIComponent(id)}`)).toEqual([id]);
      await api.stop(started.runtime_id);
    }
  });

  test("GET /runtime/{id} also takes a session id, as the oldest clients send one", async () => {
    const { api, image } = server;
    const started = await api.start({ image, runtime_id: randomUUID() });
    const bySession = await api.runtime(started.session_id);
    expect(bySession.runtime_id).toBe(started.runtime_id);
    await api.stop(started.runtime_id);
    // Ended: /runtime knows the id for a day and says so without an error; for the session there is none any more.
    expect(await api.runtime(started.runtime_id)).toMatchObject({
      status: "stopped",
      pod_status: "Not Found",
      verdict: "stopped",
    });
    expect((await api.get(`/sessions/${started.session_id}`)).status).toBe(404);
  });

  test("answers reads while 30 runtimes are known with nothing but memory: none waits for an engine", async () => {
    const { otherApi: api, image } = server;
    // Their image cannot be had, so that they cost the engine nothing.
    const started = await Promise.all(
      Array.from({ length: 30 }, () => api.start(stubStart(`127.0.0.1:1/x:${image.length}`))),
    );
    const ids = started.map(({ session_id: id }) => `ids=${id}`).join("&");
    const paths = [
      "/list",
      `/sessions/batch?${ids}`,
      ...started.flatMap((one) => [`/sessions/${one.session_id}`, `/runtime/${one.runtime_id}`]),
    ];
    for (const path of paths) {
      const began = performance.now();
      expect((await api.get(path)).status).toBe(200);
      expect(performance.now() - began).toBeLessThan(2_000);
    }
    await Promise.all(started.map(({ runtime_id: id }) => api.stop(id)));
  });
});

describe.concurrent("GET /image_exists and the other reads", () => {
  test("says yes with the two figures that clients divide by, and no; with a URL either way", async () => {
    const there = await server.api.get(`/image_exists?image=${encodeURIComponent(server.image)}`);
    expect(there.status).toBe(200);
    expect(there.json()).toEqual({
      exists: true,
      image: { upload_time: expect.any(String), image_size_bytes: expect.any(Number) },
      url: server.url,
    });
    const missing = await server.api.get("/image_exists?image=localhost:1/none:1");
    expect(missing.status).toBe(200);
    expect(missing.json()).toMatchObject({ exists: false, url: server.url });
  });

  test("answers what clients read at their start", async () => {
    const prefix = await server.api.get("/registry_prefix");
    expect(prefix.status).toBe(200);
    expect(prefix.json()).toEqual({ registry_prefix: expect.stringMatching(/./) });
    const warm = await server.api.get("/api/warm-runtime-configs");
    expect(warm.status).toBe(200);
    expect(warm.json()).toEqual({ configs: [] });
    const health = await call(`${server.url}/health`);
    expect(health.status).toBe(200);
    expect(health.json()).toMatchObject({ status: "ok" });
  });
});
