import { RuntimeObject, ServiceError } from "@remote-runtime/protocol";
import { describe, expect, test } from "vitest";
import { createGatewayFixture, type GatewayFixture } from "./gateway-fixture.ts";

const REPLICAS = ["one", "two", "three"];

async function start(
  fixture: GatewayFixture,
  body: Record<string, unknown> = {},
): Promise<RuntimeObject> {
  const answer = await fixture.ask("POST", "/start", {
    body: { image: "python:3", session_id: "session-1", ...body },
  });
  expect(answer.status, JSON.stringify(answer.body)).toBe(201);
  return RuntimeObject.parse(answer.body);
}

/** The id of the replica that has the runtime. */
function homeOf(fixture: GatewayFixture, { runtime_id }: RuntimeObject): string | undefined {
  return REPLICAS.find((id) => fixture.replica(id).runtimes.has(runtime_id));
}

describe("POST /start", () => {
  test("puts every session of an image on one replica", async () => {
    await using fixture = await createGatewayFixture({ replicas: REPLICAS });
    const names = ["a", "b", "c", "d"];
    const started = await Promise.all(names.map((session_id) => start(fixture, { session_id })));
    expect(new Set(started.map((runtime) => homeOf(fixture, runtime))).size).toBe(1);
    expect(new Set(started.map(({ runtime_id }) => runtime_id)).size).toBe(4);
  });

  test("answers the same runtime for the same session, whatever the image", async () => {
    await using fixture = await createGatewayFixture({ replicas: REPLICAS });
    const first = await start(fixture);
    for (const image of ["node:24", "redis:7", "debian:13", "alpine:3"]) {
      expect((await start(fixture, { image })).runtime_id).toBe(first.runtime_id);
    }
  });

  test("hands on the body, the caller's key and the base URL that the caller can use", async () => {
    await using fixture = await createGatewayFixture({ replicas: ["one"] });
    const { info, requests, runtimes } = fixture.replica("one");
    const runtime = await start(fixture, { environment: { A: "1" } });
    expect(requests.at(-1)?.headers.get("x-api-key")).toBe("alice-key");
    expect(requests.at(-1)?.headers.get("x-runtime-placement")).toBe("home");
    expect(requests.at(-1)?.headers.get("x-runtime-unclaimed")).toBe("1");
    expect(runtimes.get(runtime.runtime_id)?.spec.environment).toEqual({ A: "1" });
    expect(runtime.url).toBe(
      `http://gateway.test:${info.publicPort}/${runtime.runtime_id}/runtime`,
    );
  });

  test("says that nobody has the session only where the registry has said so", async () => {
    await using fixture = await createGatewayFixture({ replicas: ["one"] });
    fixture.setRegistryAway(true);
    await start(fixture);
    const sent = fixture.replica("one").requests.at(-1);
    expect(sent?.headers.get("x-runtime-placement")).toBe("home");
    expect(sent?.headers.get("x-runtime-unclaimed")).toBeNull();
  });

  test("adds nothing to the body of clients that send their session as runtime_id", async () => {
    await using fixture = await createGatewayFixture({ replicas: ["one"] });
    const answer = await fixture.ask("POST", "/start", {
      body: { image: "python:3", runtime_id: "mine" },
    });
    const [record] = fixture.replica("one").runtimes.values();
    expect(answer.status).toBe(201);
    expect(record).toMatchObject({ sessionId: "mine", spec: { dialect: "v0-old" } });
  });

  test("passes a replica's refusal on with its status and detail", async () => {
    await using fixture = await createGatewayFixture({ replicas: ["one"] });
    fixture.replica("one").answerNext("start", async () => {
      throw new ServiceError("bad_request", "set RUNTIME_URL_BASE");
    });
    const answer = await fixture.ask("POST", "/start", { body: { image: "python:3" } });
    expect(answer).toEqual({
      status: 400,
      body: { detail: "set RUNTIME_URL_BASE", error: "set RUNTIME_URL_BASE" },
    });
  });

  test("refuses what is no image with 400, and has a sentence for a gateway without replicas", async () => {
    await using fixture = await createGatewayFixture({ replicas: ["one"] });
    expect((await fixture.ask("POST", "/start", { body: { image: "Not An Image" } })).status).toBe(
      400,
    );
    await using empty = await createGatewayFixture({ replicas: [] });
    const answer = await empty.ask("POST", "/start", { body: { image: "python:3" } });
    expect(answer).toMatchObject({
      status: 503,
      body: { detail: expect.stringMatching(/^no replica is registered/) },
    });
  });

  test("passes over a replica that does not answer", async () => {
    await using fixture = await createGatewayFixture({ replicas: REPLICAS });
    const home = homeOf(fixture, await start(fixture, { session_id: "first" })) ?? "";
    await fixture.replica(home).kill();
    const second = await start(fixture, { session_id: "second" });
    expect(homeOf(fixture, second)).not.toBe(home);
  });

  test("without the registry takes a replica that is back as other gateways do, which never found it silent", async () => {
    let down = "";
    await using fixture = await createGatewayFixture({
      replicas: REPLICAS,
      gateway: {
        fetchOf:
          ({ id }) =>
          (input, init) =>
            id === down ? Promise.reject(new TypeError("terminated")) : fetch(input, init),
      },
    });
    fixture.setRegistryAway(true);
    const first = await start(fixture, { session_id: "first" });
    const home = homeOf(fixture, first) ?? "";
    down = home;
    expect((await fixture.ask("GET", `/runtime/${first.runtime_id}`)).status).toBe(503);
    down = "";
    expect(homeOf(fixture, await start(fixture, { session_id: "second" }))).toBe(home);
  });

  test("places nothing new on a replica that is draining, and still finds its sessions there", async () => {
    await using fixture = await createGatewayFixture({ replicas: REPLICAS });
    const first = await start(fixture, { session_id: "first" });
    const home = homeOf(fixture, first) ?? "";
    await fixture.replica(home).announce({ draining: true });
    await fixture.gateway.refresh();
    expect(homeOf(fixture, await start(fixture, { session_id: "second" }))).not.toBe(home);
    expect((await start(fixture, { session_id: "first" })).runtime_id).toBe(first.runtime_id);
  });

  test("goes to the session's replica when another gateway was faster", async () => {
    await using fixture = await createGatewayFixture({ replicas: REPLICAS });
    const home = homeOf(fixture, await start(fixture, { session_id: "probe" })) ?? "";
    const other = fixture.replica(REPLICAS.find((id) => id !== home) ?? "");
    // Between this gateway's look-up and its call the session is started elsewhere.
    let taken: string | undefined;
    fixture.replica(home).answerNext("start", async () => {
      const answer = await fetch(`${other.info.internalUrl}/start`, {
        method: "POST",
        headers: { "x-api-key": "alice-key", "content-type": "application/json" },
        body: JSON.stringify({ image: "python:3", session_id: "raced" }),
      });
      taken = RuntimeObject.parse(await answer.json()).runtime_id;
      throw new ServiceError("conflict", "the session has a live runtime");
    });
    expect((await start(fixture, { session_id: "raced" })).runtime_id).toBe(taken);
  });

  test("answers from the record while the session's replica is away", async () => {
    await using fixture = await createGatewayFixture({ replicas: REPLICAS });
    const first = await start(fixture);
    const home = homeOf(fixture, first) ?? "";
    await fixture.replica(home).kill();
    expect(await start(fixture)).toEqual(first);
    await fixture.registry.withdraw(home, "");
    await fixture.gateway.refresh();
    fixture.pass(60_000);
    await fixture.gateway.refresh();
    expect(await start(fixture)).toEqual(first);
  });

  test("answers from the record while the replica that has taken the session over is away", async () => {
    await using fixture = await createGatewayFixture({ replicas: ["one", "two"] });
    const first = await start(fixture);
    const names = homeOf(fixture, first) === "one" ? ["one", "two"] : ["two", "one"];
    const [from, to] = names.map(fixture.replica);
    if (!from || !to) throw new Error("there are two");
    const record = from.runtimes.get(first.runtime_id) ?? expect.fail("it is there");
    await fixture.registry.takeOver(first.runtime_id, from.info.id, to.info.id);
    from.runtimes.delete(first.runtime_id);
    to.runtimes.set(first.runtime_id, { ...record, replicaId: to.info.id });
    await to.kill();
    from.requests.length = 0;
    expect((await start(fixture)).runtime_id).toBe(first.runtime_id);
    expect(from.requests).toEqual([]);
  });

  test("starts a session anew when its replica has been gone for too long", async () => {
    await using fixture = await createGatewayFixture({ replicas: REPLICAS });
    const first = await start(fixture);
    const home = homeOf(fixture, first) ?? "";
    await fixture.replica(home).kill();
    await fixture.registry.withdraw(home, "");
    await fixture.gateway.refresh();
    fixture.pass(300_000);
    const lost = await fixture.ask("GET", `/runtime/${first.runtime_id}`);
    expect(lost.body).toMatchObject({ status: "error", verdict: "replica_lost" });
    const second = await start(fixture);
    expect(second.runtime_id).not.toBe(first.runtime_id);
    // What the lost one finds if it comes back after all.
    const [left] = await fixture.registry.recordsOfReplica(home);
    expect(left).toMatchObject({
      id: first.runtime_id,
      desired: "stopped",
      verdict: "replica_lost",
    });
  });

  test("goes on without the registry, and finds sessions by asking all replicas", async () => {
    await using fixture = await createGatewayFixture({ replicas: REPLICAS });
    const first = await start(fixture);
    fixture.setRegistryAway(true);
    await fixture.gateway.refresh();
    expect((await start(fixture, { image: "node:24" })).runtime_id).toBe(first.runtime_id);
    const second = await start(fixture, { session_id: "second" });
    expect(homeOf(fixture, second)).toBe(homeOf(fixture, first));
  });

  test("starts no second runtime when a replica broke off and the registry cannot tell", async () => {
    let broken = 0;
    await using fixture = await createGatewayFixture({
      replicas: REPLICAS,
      gateway: {
        fetchOf: () => (input, init) => {
          const isStart = typeof input === "string" && input.endsWith("/start");
          if (!isStart || (broken += 1) > 1) return fetch(input, init);
          return Promise.reject(new TypeError("other side closed"));
        },
      },
    });
    const body = { image: "python:3", session_id: "x" };
    fixture.setRegistryAway(true);
    const answer = await fixture.ask("POST", "/start", { body });
    expect(answer).toMatchObject({
      status: 503,
      body: { detail: expect.stringMatching(/^replica \w+ does not answer$/) },
    });
    expect(REPLICAS.flatMap((id) => [...fixture.replica(id).runtimes])).toEqual([]);
    // With the registry it can: nobody has claimed the session.
    broken = 0;
    fixture.setRegistryAway(false);
    expect((await fixture.ask("POST", "/start", { body })).status).toBe(201);
  });

  test("starts a session that has failed anew where it was, but not on a replica that is draining", async () => {
    await using fixture = await createGatewayFixture({ replicas: REPLICAS });
    const fail = async (runtime: RuntimeObject): Promise<string> => {
      const home = homeOf(fixture, runtime) ?? "";
      const record = fixture.replica(home).runtimes.get(runtime.runtime_id);
      if (!record) throw new Error("not started");
      fixture.replica(home).runtimes.delete(record.id);
      await fixture.registry.putRecord({
        ...record,
        observed: { state: "failed", verdict: "oom", reason: "out of memory" },
      });
      return home;
    };
    const home = await fail(await start(fixture));
    const second = await start(fixture, { image: "node:24" });
    expect(homeOf(fixture, second)).toBe(home);
    await fail(second);
    await fixture.replica(home).announce({ draining: true });
    await fixture.gateway.refresh();
    expect(homeOf(fixture, await start(fixture))).not.toBe(home);
  });
});
