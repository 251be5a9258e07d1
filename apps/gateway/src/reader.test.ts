import { RuntimeObject } from "@remote-runtime/protocol";
import { describe, expect, test } from "vitest";
import { createGatewayFixture, type GatewayFixture } from "./gateway-fixture.ts";

/** Starts a runtime on that replica, past the gateway. */
async function startOn(
  fixture: GatewayFixture,
  replicaId: string,
  sessionId: string,
): Promise<string> {
  const answer = await fetch(`${fixture.replica(replicaId).info.internalUrl}/start`, {
    method: "POST",
    headers: { "x-api-key": "alice-key", "content-type": "application/json" },
    body: JSON.stringify({ image: "python:3", session_id: sessionId }),
  });
  return RuntimeObject.parse(await answer.json()).runtime_id;
}

const gets = (id: string, sessionId: string): string[] => [
  `/runtime/${id}`,
  `/runtime/${sessionId}`,
  `/sessions/${sessionId}`,
];

describe("GET of one runtime", () => {
  test("is answered by the replica that the id names, by its id and by its session", async () => {
    await using fixture = await createGatewayFixture({ replicas: ["one", "two"] });
    const id = await startOn(fixture, "two", "mine");
    fixture.replica("one").requests.length = 0;
    for (const path of gets(id, "mine")) {
      expect(await fixture.ask("GET", path), path).toMatchObject({
        status: 200,
        body: { runtime_id: id },
      });
    }
    expect(fixture.replica("one").requests).toEqual([]);
  });

  test("is 404 for another owner, and for what nobody has", async () => {
    await using fixture = await createGatewayFixture({ replicas: ["one"] });
    const id = await startOn(fixture, "one", "mine");
    const headers = { "x-api-key": "bob-key" };
    for (const path of [...gets(id, "mine"), "/runtime/zzzzzzzzzzzzzzzz", "/sessions/none"]) {
      const answer = await fixture.ask("GET", path, { headers });
      expect(answer, path).toMatchObject({
        status: 404,
        body: { detail: expect.stringMatching(/^no (runtime|session) /) },
      });
    }
  });

  test("is answered from the record while the replica is away, at first and later", async () => {
    await using fixture = await createGatewayFixture({ replicas: ["one", "two"] });
    const id = await startOn(fixture, "two", "mine");
    const before = await fixture.ask("GET", `/runtime/${id}`);
    await fixture.replica("two").kill();
    for (const path of gets(id, "mine"))
      expect(await fixture.ask("GET", path), path).toEqual(before);
    expect(
      (await fixture.ask("GET", `/runtime/${id}`, { headers: { "x-api-key": "bob-key" } })).status,
    ).toBe(404);

    await fixture.registry.withdraw("two", "");
    await fixture.gateway.refresh();
    fixture.pass(30_000);
    await fixture.gateway.refresh();
    for (const path of gets(id, "mine"))
      expect(await fixture.ask("GET", path), path).toEqual(before);
  });

  test("does not wait for a replica that was silent a moment ago", async () => {
    let calls = 0;
    await using fixture = await createGatewayFixture({
      replicas: ["one"],
      gateway: {
        fetchOf: () => (input, init) => {
          calls += 1;
          return fetch(input, init);
        },
      },
    });
    const id = await startOn(fixture, "one", "mine");
    await fixture.replica("one").kill();
    for (const path of gets(id, "mine")) expect((await fixture.ask("GET", path)).status).toBe(200);
    expect(calls).toBe(1);
  });

  test("is answered by the replica again as soon as that is back", async () => {
    await using fixture = await createGatewayFixture({ replicas: ["one"] });
    const id = await startOn(fixture, "one", "mine");
    await fixture.replica("one").kill();
    expect((await fixture.ask("GET", `/runtime/${id}`)).status).toBe(200);
    await fixture.replica("one").revive();
    fixture.pass(2_000);
    const { requests } = fixture.replica("one");
    requests.length = 0;
    expect((await fixture.ask("GET", `/runtime/${id}`)).status).toBe(200);
    expect(requests.map(({ path }) => path)).toEqual([`/runtime/${id}`]);
  });

  test("finds the right one of two replicas with one tag", async () => {
    await using fixture = await createGatewayFixture({ replicas: [] });
    await fixture.addReplica("one", { tag: "same" });
    await fixture.addReplica("two", { tag: "same" });
    await fixture.gateway.refresh();
    const ids = [await startOn(fixture, "one", "s1"), await startOn(fixture, "two", "s2")];
    for (const [index, id] of ids.entries()) {
      expect(id).toMatch(/^same/);
      for (const path of gets(id, `s${index + 1}`)) {
        expect(await fixture.ask("GET", path)).toMatchObject({
          status: 200,
          body: { runtime_id: id },
        });
      }
    }
  });

  test("follows the record to a replica that has adopted the runtime", async () => {
    await using fixture = await createGatewayFixture({ replicas: ["one", "two"] });
    const id = await startOn(fixture, "one", "mine");
    const record = fixture.replica("one").runtimes.get(id);
    if (!record) throw new Error("not started");
    fixture.replica("one").runtimes.delete(id);
    fixture.replica("two").runtimes.set(id, { ...record, replicaId: "two" });
    await fixture.registry.takeOver(id, "one", "two");
    for (const path of gets(id, "mine")) {
      expect(await fixture.ask("GET", path), path).toMatchObject({
        status: 200,
        body: { runtime_id: id },
      });
      expect(fixture.replica("two").requests.at(-1)?.path).toBe(`/runtime/${id}`);
      fixture.replica("two").requests.length = 0;
    }
  });

  test("works without the registry", async () => {
    await using fixture = await createGatewayFixture({ replicas: ["one", "two"] });
    const id = await startOn(fixture, "two", "mine");
    fixture.setRegistryAway(true);
    await fixture.gateway.refresh();
    for (const path of gets(id, "mine")) {
      expect(await fixture.ask("GET", path), path).toMatchObject({
        status: 200,
        body: { runtime_id: id },
      });
    }
    expect((await fixture.ask("GET", "/sessions/none")).status).toBe(404);
  });

  test("is 503, not 404, while a new gateway may not know all replicas yet", async () => {
    await using fixture = await createGatewayFixture({ replicas: [], isNew: true });
    for (const path of ["/runtime/zzzzzzzzzzzzzzzz", "/sessions/mine"]) {
      expect((await fixture.ask("GET", path)).status, path).toBe(503);
    }
    await fixture.addReplica("one");
    await fixture.gateway.refresh();
    expect((await fixture.ask("GET", "/sessions/mine")).status).toBe(404);
    expect((await fixture.ask("GET", "/runtime/zzzzzzzzzzzzzzzz")).status).toBe(503);
    const id = await startOn(fixture, "one", "mine");
    expect((await fixture.ask("GET", `/runtime/${id}`)).status).toBe(200);
    fixture.pass(10_000);
    expect((await fixture.ask("GET", "/runtime/zzzzzzzzzzzzzzzz")).status).toBe(404);
  });

  test("asks the replicas for a session that an emptied registry does not know", async () => {
    await using fixture = await createGatewayFixture({ replicas: ["one", "two"] });
    const id = await startOn(fixture, "two", "mine");
    // Which frees the session, while the replica has it as before.
    const record = (await fixture.registry.record(id)) ?? expect.fail("it is on record");
    await fixture.registry.putRecord({ ...record, desired: "stopped" }, 1);
    await fixture.registry.withdraw("one", "");
    await fixture.registry.withdraw("two", "");
    await fixture.gateway.refresh();
    expect(await fixture.ask("GET", "/sessions/mine")).toMatchObject({
      status: 200,
      body: { runtime_id: id },
    });
  });
});

const MANY = ["/sessions/batch?ids=mine", "/list"];

describe("GET of many runtimes", () => {
  test("GET /sessions/batch has one entry for each position, from whichever replica", async () => {
    await using fixture = await createGatewayFixture({ replicas: ["one", "two"] });
    const first = await startOn(fixture, "one", "s1");
    const second = await startOn(fixture, "two", "s2");
    const answer = await fixture.ask("GET", "/sessions/batch?ids=s2&ids=none&ids=s1");
    expect(answer).toMatchObject({
      status: 200,
      body: [{ runtime_id: second }, null, { runtime_id: first }],
    });
  });

  test("GET /sessions/batch takes more ids than fit into one request to a replica", async () => {
    await using fixture = await createGatewayFixture({ replicas: ["one"] });
    const id = await startOn(fixture, "one", "last");
    const ids = Array.from({ length: 2_500 }, (_, i) => `a-session-of-some-length-${i}`);
    const answer = await fixture.ask("GET", `/sessions/batch?ids=${[...ids, "last"].join(",")}`);
    expect(answer.body).toHaveLength(2_501);
    expect(answer.body).toHaveProperty("2500.runtime_id", id);
  });

  test("have the runtimes of a replica that is away, from its records", async () => {
    await using fixture = await createGatewayFixture({ replicas: ["one", "two"] });
    const first = await startOn(fixture, "one", "s1");
    const second = await startOn(fixture, "two", "s2");
    await fixture.replica("two").kill();
    for (const settled of [false, true]) {
      const batch = await fixture.ask("GET", "/sessions/batch?ids=s1&ids=s2");
      expect(batch.body).toMatchObject([
        { runtime_id: first },
        { runtime_id: second, status: "running" },
      ]);
      const list = await fixture.ask("GET", "/list?status=running");
      expect(list.body).toMatchObject({
        total: 2,
        runtimes: [{ runtime_id: first }, { runtime_id: second }],
      });
      if (settled) break;
      await fixture.registry.withdraw("two", "");
      await fixture.gateway.refresh();
      fixture.pass(30_000);
      await fixture.gateway.refresh();
    }
  });

  test("have them at the very first question as well", async () => {
    for (const path of ["/list", "/sessions/batch?ids=s2"]) {
      await using fixture = await createGatewayFixture({ replicas: ["one", "two"] });
      const id = await startOn(fixture, "two", "s2");
      await fixture.replica("two").kill();
      expect(JSON.stringify(await fixture.ask("GET", path)), path).toContain(id);
    }
  });

  test("are 503 from a gateway that has never reached the registry", async () => {
    await using fixture = await createGatewayFixture({ replicas: [] });
    fixture.setRegistryAway(true);
    await fixture.gateway.refresh();
    for (const path of MANY) expect((await fixture.ask("GET", path)).status, path).toBe(503);
  });

  test("are 503 with the registry away and one replica silent, 200 when all answer", async () => {
    await using fixture = await createGatewayFixture({ replicas: ["one", "two"] });
    const id = await startOn(fixture, "two", "mine");
    fixture.setRegistryAway(true);
    await fixture.gateway.refresh();
    for (const path of MANY) {
      const answer = await fixture.ask("GET", path);
      expect(answer.status, path).toBe(200);
      expect(JSON.stringify(answer.body), path).toContain(id);
    }
    const none = await fixture.ask("GET", "/sessions/batch?ids=none");
    expect(none).toEqual({ status: 200, body: [null] });
    await fixture.replica("two").kill();
    for (const path of [...MANY, ...MANY]) {
      expect((await fixture.ask("GET", path)).status, path).toBe(503);
    }
    // At once: it has been silent a moment ago, but nobody else can tell.
    await fixture.replica("two").revive();
    for (const path of MANY) {
      const answer = await fixture.ask("GET", path);
      expect(JSON.stringify(answer.body), path).toContain(id);
    }
  });

  test.each([
    ["is 503 when it had some, and no neighbour has its engine", 3, "engine of one", 503],
    ["is 200 when it had none", 0, "engine of one", 200],
    ["is 200 when a neighbour takes them over", 3, "engine of two", 200],
  ])(
    "GET /list of one that has left, with the registry away, %s",
    async (_, load, engineId, status) => {
      await using fixture = await createGatewayFixture({ replicas: ["two"] });
      const one = await fixture.addReplica("one", { load, engineId });
      await fixture.gateway.refresh();
      await one.kill();
      await fixture.registry.withdraw("one", "");
      await fixture.gateway.refresh();
      expect((await fixture.ask("GET", "/list")).status).toBe(200);
      fixture.setRegistryAway(true);
      await fixture.gateway.refresh();
      expect((await fixture.ask("GET", "/list")).status).toBe(status);
    },
  );

  test("GET /sessions/batch asks all replicas while an emptied registry may not know a session", async () => {
    await using fixture = await createGatewayFixture({ replicas: ["one", "two"], isNew: true });
    expect((await fixture.ask("GET", "/sessions/batch?ids=none")).body).toEqual([null]);
    await fixture.replica("two").kill();
    for (const settled of [false, true]) {
      const { status } = await fixture.ask("GET", "/sessions/batch?ids=none");
      expect(status).toBe(settled ? 200 : 503);
      fixture.pass(10_000);
    }
  });

  test("GET /list shows each owner the own runtimes only", async () => {
    await using fixture = await createGatewayFixture({ replicas: ["one", "two"] });
    await startOn(fixture, "one", "s1");
    await fixture.replica("one").kill();
    const answer = await fixture.ask("GET", "/list", { headers: { "x-api-key": "bob-key" } });
    expect(answer).toEqual({ status: 200, body: { runtimes: [], total: 0 } });
  });
});
