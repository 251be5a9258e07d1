import { randomUUID } from "node:crypto";
import { beforeAll, describe, expect, test } from "vitest";
import { apiOf } from "../support/api.ts";
import { stubOf } from "../support/sandbox.ts";
import { type StubServer, startStubServer } from "../support/stub-server.ts";
import { stubStart } from "../support/stub-start.ts";
import { until } from "../support/until.ts";
import { WireRuntime } from "../support/wire-runtime.ts";

let server: StubServer;
beforeAll(async () => {
  server = await startStubServer();
  return () => server[Symbol.asyncDispose]();
});

/** The shortest that any client waits for this answer is 10 s; an answer that does no work takes far less. */
const AT_ONCE_MS = 2_000;

describe.concurrent("POST /start", () => {
  test("answers 201 with every key of a runtime, and the same runtime again for the same session", async () => {
    const { api } = server;
    const body = stubStart(server.image);
    const first = await api.post("/start", body);
    expect(first.status).toBe(201);
    const runtime = WireRuntime.parse(first.json());
    expect(runtime).toMatchObject({
      id: runtime.runtime_id,
      session_id: body.session_id,
      status: "starting",
      pod_status: "Pending",
      image: server.image,
      verdict: null,
    });
    const again = await api.post("/start", body);
    expect(again.status).toBe(201);
    await api.untilReady(runtime);
    const whenReady = await api.post("/start", body);
    expect(whenReady.status).toBe(201);
    for (const answer of [again, whenReady]) {
      const { runtime_id, url, session_api_key } = WireRuntime.parse(answer.json());
      expect({ runtime_id, url, session_api_key }).toEqual({
        runtime_id: runtime.runtime_id,
        url: runtime.url,
        session_api_key: runtime.session_api_key,
      });
    }
    await api.stop(runtime.runtime_id);
  });

  test("makes one runtime when ten callers start one session at the same moment", async () => {
    const { api } = server;
    const body = stubStart(server.image);
    const started = await Promise.all(Array.from({ length: 10 }, () => api.start(body)));
    expect(new Set(started.map(({ runtime_id: id }) => id)).size).toBe(1);
    expect((await api.list()).filter(({ session_id: id }) => id === body.session_id)).toHaveLength(
      1,
    );
    await api.stop(started[0]?.runtime_id ?? "");
  });

  test("keeps sessions of the same name apart by key, and of different case apart", async () => {
    const { api, otherApi, image } = server;
    const name = `Case-${randomUUID()}`;
    const [mine, theirs, lower] = await Promise.all([
      api.start(stubStart(image, { session_id: name })),
      otherApi.start(stubStart(image, { session_id: name })),
      api.start(stubStart(image, { session_id: name.toLowerCase() })),
    ]);
    expect(new Set([mine, theirs, lower].map(({ runtime_id: id }) => id)).size).toBe(3);
    expect((await api.session(name)).runtime_id).toBe(mine.runtime_id);
    expect((await otherApi.session(name)).runtime_id).toBe(theirs.runtime_id);
    expect((await otherApi.get(`/runtime/${mine.runtime_id}`)).status).toBe(404);
    expect((await otherApi.post("/stop", { runtime_id: mine.runtime_id })).status).toBe(404);
    expect((await api.session(name)).status).not.toBe("stopped");
    await Promise.all([
      api.stop(mine.runtime_id),
      api.stop(lower.runtime_id),
      otherApi.stop(theirs.runtime_id),
    ]);
  });

  test("takes every form that clients send its fields in", async () => {
    const { api, image } = server;
    const command = ["/usr/local/bin/openhands-agent-server", "--port", "60000"];
    const bodies: Record<string, object> = {
      "command as a list": stubStart(image, { command }),
      "command as a string": stubStart(image, { command: command.join(" ") }),
      "command null": stubStart(image, { command: null }),
      "no environment": stubStart(image, { environment: undefined }),
      "environment null": stubStart(image, { environment: null }),
      "factor 4.5": stubStart(image, { resource_factor: 4.5 }),
      'factor "2"': stubStart(image, { resource_factor: "2" }),
      "factor 1000000": stubStart(image, { resource_factor: 1_000_000 }),
      "factor null": stubStart(image, { resource_factor: null }),
      "sysbox where there is none": stubStart(image, { runtime_class: "sysbox-runc" }),
      "fields of other servers": stubStart(image, {
        enable_gpu: false,
        use_host_network: false,
        nobody: { knows: [1] },
      }),
    };
    const started = await Promise.all(Object.values(bodies).map((body) => api.start(body)));
    const ready = await Promise.all(started.map(api.untilReady));
    expect(ready.map(({ status }) => status)).toEqual(Object.keys(bodies).map(() => "running"));
    await Promise.all(ready.map(({ runtime_id: id }) => api.stop(id)));
  });

  test("makes a session id where none is sent, and takes the old clients' runtime_id for one", async () => {
    const { api, image } = server;
    const [nameless, empty] = await Promise.all([
      api.start({ image }),
      api.start({ image, session_id: "", environment: {} }),
    ]);
    expect(nameless.session_id).toMatch(/^[0-9a-f-]{32,36}$/);
    expect(empty.session_id).not.toBe(nameless.session_id);
    expect((await api.session(nameless.session_id)).runtime_id).toBe(nameless.runtime_id);

    const old = randomUUID();
    const started = await api.start({ image, runtime_id: old });
    expect(started.session_id).toBe(old);
    expect(started.runtime_id).not.toBe(old);
    expect((await api.runtime(old)).runtime_id).toBe(started.runtime_id);
    await Promise.all([nameless, empty, started].map(({ runtime_id: id }) => api.stop(id)));
  });

  test("answers at once, with neither 429 nor 503, while the image cannot be had and while others queue", async () => {
    await using busy = await startStubServer({ env: { MAX_STARTING: "1" } });
    const { api, image } = busy;
    const session = `agent-server-${randomUUID()}`;
    const bodies = Array.from({ length: 6 }, () =>
      stubStart(image, { environment: { STUB_BOOT_DELAY_MS: "100" } }),
    );
    const began = performance.now();
    const [missing, ...queued] = await Promise.all([
      api.start(stubStart("127.0.0.1:1/no/such:image", { session_id: session })),
      ...bodies.map((body) => api.start(body)),
    ]);
    expect(performance.now() - began).toBeLessThan(AT_ONCE_MS);
    expect(missing).toMatchObject({ status: "starting", pod_status: "Pending" });
    const details = async (): Promise<string> => {
      const seen = await Promise.all(queued.map(({ runtime_id: id }) => api.runtime(id)));
      return seen.map(({ status_detail: detail }) => detail).join("\n");
    };
    const isQueued = /queued at position \d+: .*MAX_STARTING/;
    await until(details, (text) => isQueued.test(text), { what: "some of them queued" });
    expect(
      (await Promise.all(queued.map(api.untilReady))).every(({ status }) => status === "running"),
    ).toBe(true);
  });

  test("starts anew after the session was stopped, and at once", async () => {
    const { api } = server;
    const body = stubStart(server.image);
    const first = await api.startReady(body);
    await api.stop(first.runtime_id);
    const second = await api.start(body);
    expect(second.runtime_id).not.toBe(first.runtime_id);
    expect((await api.session(body.session_id)).runtime_id).toBe(second.runtime_id);
    await api.untilReady(second);
    await api.stop(second.runtime_id);
  });

  test("gives back the key that the agent servers check: its own, or the one that the caller sent", async () => {
    const { api, image } = server;
    const [own, theirs] = await Promise.all([
      api.startReady(stubStart(image)),
      api.startReady(
        stubStart(image, { environment: { OH_SESSION_API_KEYS_0: "key-of-the-caller" } }),
      ),
    ]);
    const environment = (await stubOf(own).environment()).env;
    expect(environment["SESSION_API_KEY"]).toBe(own.session_api_key);
    expect(environment).not.toHaveProperty("OH_SESSION_API_KEYS_0");
    expect(theirs.session_api_key).toBe("key-of-the-caller");
    expect((await stubOf(theirs).environment()).env["OH_SESSION_API_KEYS_0"]).toBe(
      "key-of-the-caller",
    );

    const wrong = await stubOf({ ...own, session_api_key: "wrong" }).call("/environment");
    expect(wrong.status).toBe(401);
    await Promise.all([own, theirs].map(({ runtime_id: id }) => api.stop(id)));
  });

  test("refuses a key that is wrong or missing, and says so in words", async () => {
    for (const key of ["wrong", ""]) {
      const answer = await apiOf({ url: server.url, key }).post("/start", stubStart(server.image));
      expect(answer.status).toBe(401);
      expect(answer.json()).toEqual({ detail: expect.any(String), error: expect.any(String) });
    }
  });
});
