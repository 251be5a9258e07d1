import { PlacementObject, RuntimeObject } from "@remote-runtime/protocol";
import { createLog, listen } from "@remote-runtime/server";
import { describe, expect, test } from "vitest";
import { createGatewayFixture, type GatewayFixture } from "./gateway-fixture.ts";

async function startRuntime(fixture: GatewayFixture, sessionId: string): Promise<RuntimeObject> {
  const { body } = await fixture.ask("POST", "/start", {
    body: { image: `image-of-${sessionId}`, session_id: sessionId },
  });
  return RuntimeObject.parse(body);
}

/** Serves the gateway on a port until `work` is done. */
async function served<T>(
  { gateway }: GatewayFixture,
  work: (url: string) => Promise<T>,
): Promise<T> {
  const ending = new AbortController();
  const server = await listen({
    fetch: gateway.app.fetch,
    sandbox: gateway.sandbox,
    host: "127.0.0.1",
    port: 0,
    signal: ending.signal,
    log: createLog({ name: "test", level: "silent" }),
    graceMs: 0,
  });
  try {
    return await work(server.url);
  } finally {
    await server.close();
  }
}

describe("a gateway with ROUTING=gateway", () => {
  test("leads to itself, and hands the bytes of a sandbox to its replica under the client's own path", async () => {
    await using fixture = await createGatewayFixture({
      replicas: ["one", "two", "three"],
      gateway: { routing: "gateway", publicUrl: "https://runtime.test" },
    });
    const ids = await Promise.all(
      ["a", "b", "c", "d", "e"].map((name) => startRuntime(fixture, name)),
    );
    await served(fixture, async (url) => {
      for (const { runtime_id, url: given } of ids) {
        const path = `/${runtime_id}/runtime/some%2Fpath`;
        expect(given).toBe(`https://runtime.test/${runtime_id}/runtime`);
        const answer = await fetch(`${url}${path}?a=b+c`, {
          headers: { "x-api-key": "alice-key" },
        });
        const home = ["one", "two", "three"].find((id) =>
          fixture.replica(id).runtimes.has(runtime_id),
        );
        expect(await answer.json()).toEqual({ served_by: home, path });
        const seen = fixture.replica(home ?? "").requests.at(-1);
        expect(seen?.headers.get("x-api-key")).toBeNull();
      }
    });
  });

  test("tells replicas that only the gateway can be reached", async () => {
    await using fixture = await createGatewayFixture({
      replicas: ["one"],
      gateway: { routing: "gateway" },
    });
    await startRuntime(fixture, "a");
    const seen = fixture.replica("one").requests.at(-1)?.headers;
    expect(seen?.get("x-runtime-routing")).toBe("gateway");
    expect(seen?.get("x-runtime-base-url")).toBe("http://gateway.test:8000");
  });

  test("finds the sandbox among two replicas with one tag, asking for patience once", async () => {
    await using fixture = await createGatewayFixture({
      replicas: [],
      gateway: { routing: "gateway" },
    });
    await fixture.addReplica("one", { tag: "same" });
    await fixture.addReplica("two", { tag: "same" });
    await fixture.gateway.refresh();
    const runtimes = await Promise.all(
      ["a", "b", "c", "d"].map((name) => startRuntime(fixture, name)),
    );
    // Another gateway has not seen them start.
    await using other = await createGatewayFixture({
      replicas: [],
      gateway: { routing: "gateway", registry: fixture.registry },
    });
    await served(other, async (url) => {
      for (const { runtime_id } of runtimes) {
        const home = ["one", "two"].find((id) => fixture.replica(id).runtimes.has(runtime_id));
        const ask = () => fetch(`${url}/${runtime_id}/runtime/x`);
        expect((await ask()).status).toBe(503);
        expect(await (await ask()).json()).toMatchObject({ served_by: home });
      }
    });
  });

  test("answers 503 for a sandbox whose replica is away, and 404 for one that never was", async () => {
    await using fixture = await createGatewayFixture({
      replicas: ["one"],
      gateway: { routing: "gateway" },
    });
    const { runtime_id } = await startRuntime(fixture, "a");
    await fixture.replica("one").kill();
    await fixture.registry.withdraw("one", "");
    await fixture.gateway.refresh();
    fixture.pass(10_000);
    await fixture.gateway.refresh();
    await served(fixture, async (url) => {
      const statusOf = async (id: string) => (await fetch(`${url}/${id}/runtime/alive`)).status;
      expect(await statusOf(runtime_id)).toBe(503);
      expect(await statusOf(runtime_id)).toBe(503);
      expect(await statusOf("zzzzzzzzzzzzzzzz")).toBe(503);
      expect(await statusOf("zzzzzzzzzzzzzzzz")).toBe(404);
    });
  });
});

test("a gateway with ROUTING=direct serves no sandbox", async () => {
  await using fixture = await createGatewayFixture({ replicas: ["one"] });
  const { runtime_id } = await startRuntime(fixture, "a");
  await served(fixture, async (url) => {
    expect((await fetch(`${url}/${runtime_id}/runtime/alive`)).status).toBe(404);
  });
});

test("a gateway asks for a key, and takes it as a bearer token too", async () => {
  await using fixture = await createGatewayFixture({ replicas: ["one"] });
  expect((await fixture.ask("GET", "/list", { headers: { "x-api-key": "wrong" } })).status).toBe(
    401,
  );
  const answer = await fixture.gateway.app.request("/list", {
    headers: { authorization: "Bearer bob-key" },
  });
  expect(answer.status).toBe(200);
  expect(fixture.replica("one").requests.at(-1)?.headers.get("x-api-key")).toBe("bob-key");
});

test("placements_total counts the decisions by kind", async () => {
  await using fixture = await createGatewayFixture({ replicas: ["one", "two"] });
  const counts = async (): Promise<Record<string, number>> => {
    const text = await fixture.metrics.registry.metrics();
    const lines = text.matchAll(/^placements_total\{kind="(\w+)"\} (\d+)$/gm);
    return Object.fromEntries([...lines].map(([, kind, count]) => [kind, Number(count)]));
  };
  const nameOf = (sessionId: string): string => `docker.io/library/image-of-${sessionId}:latest`;
  await startRuntime(fixture, "a");
  await startRuntime(fixture, "a");
  expect(await counts()).toEqual({ home: 1, held: 1 });

  const image = { createdAt: 1, sizeBytes: 1 };
  await fixture.registry.publishInventory("two", new Map([[nameOf("b"), image]]));
  await fixture.replica("two").announce({ pulling: [nameOf("c")] });
  await fixture.gateway.refresh();
  await startRuntime(fixture, "b");
  await startRuntime(fixture, "c");
  expect(await counts()).toEqual({ home: 1, held: 1, cached: 1, pulling: 1 });

  const { body } = await fixture.ask("GET", "/placement?image=image-of-d");
  const { replica_id: home } = PlacementObject.parse(body);
  await fixture.replica(home).announce({ load: 100 });
  await fixture.gateway.refresh();
  await startRuntime(fixture, "d");
  expect(await counts()).toEqual({ home: 1, held: 1, cached: 1, pulling: 1, spill: 1 });
});
