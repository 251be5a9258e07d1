import { describe, expect, test } from "vitest";
import { createGatewayFixture, type GatewayFixture } from "./gateway-fixture.ts";

const BROKEN: [string, () => Promise<Response>][] = [
  ["is no JSON", async () => new Response("<html>")],
  ["is cut short", async () => new Response('{"runtimes":[{"runtime_id":"a"},{"run')],
  ["is of something else", async () => Response.json({ sandboxes: [] })],
  ["is an error", async () => Response.json({ detail: "broken" }, { status: 500 })],
  ["breaks off", async () => Promise.reject(new TypeError("terminated"))],
];

async function startOn(fixture: GatewayFixture, replicaId: string): Promise<string> {
  const replica = fixture.replica(replicaId);
  const before = new Set(replica.runtimes.keys());
  await fetch(`${replica.info.internalUrl}/start`, {
    method: "POST",
    headers: { "x-api-key": "alice-key", "content-type": "application/json" },
    body: JSON.stringify({ image: "python:3", session_id: `${replicaId} ${before.size}` }),
  });
  const started = [...replica.runtimes.keys()].find((id) => !before.has(id));
  if (started === undefined) throw new Error("not started");
  return started;
}

const listOf = (ids: string[]) => ({
  status: 200,
  body: {
    runtimes: ids.map((runtime_id) => expect.objectContaining({ runtime_id })),
    total: ids.length,
  },
});

test("a gateway that knows no replica and no registry does not say that there is nothing", async () => {
  await using fixture = await createGatewayFixture({ replicas: [], isNew: true });
  expect(await fixture.ask("GET", "/list")).toEqual(listOf([]));
  expect(await fixture.ask("GET", "/sessions/batch?ids=a&ids=b")).toEqual({
    status: 200,
    body: [null, null],
  });
  fixture.setRegistryAway(true);
  await fixture.gateway.refresh();
  for (const path of ["/list", "/sessions/batch?ids=a&ids=b", "/sessions/a"]) {
    expect((await fixture.ask("GET", path)).status, path).toBe(503);
  }
});

describe("GET /list", () => {
  test("has all runtimes of all replicas, as these have written them", async () => {
    await using fixture = await createGatewayFixture({ replicas: ["one", "two", "none"] });
    const ids = [
      await startOn(fixture, "one"),
      await startOn(fixture, "one"),
      await startOn(fixture, "two"),
    ];
    const asked = await Promise.all(ids.map((id) => fixture.ask("GET", `/runtime/${id}`)));
    const written = asked.map(({ body }) => body);
    const { status, body } = await fixture.ask("GET", "/list");
    expect([status, Object.keys(body ?? {})]).toEqual([200, ["runtimes", "total"]]);
    expect(body).toEqual({ runtimes: expect.arrayContaining(written), total: 3 });
  });

  test.each(BROKEN)(
    "takes a replica's runtimes from their records when its answer %s",
    async (_, answer) => {
      let isBroken = false;
      await using fixture = await createGatewayFixture({
        replicas: ["one", "two"],
        gateway: {
          fetchOf:
            ({ id }) =>
            (input, init) =>
              isBroken && id === "one" ? answer() : fetch(input, init),
        },
      });
      const [first, second] = [await startOn(fixture, "one"), await startOn(fixture, "two")];
      isBroken = true;
      expect(await fixture.ask("GET", "/list")).toEqual(listOf([second, first]));
    },
  );

  test("lists nothing twice that one replica has taken over from another", async () => {
    await using fixture = await createGatewayFixture({ replicas: ["one", "two"] });
    const id = await startOn(fixture, "one");
    const record = fixture.replica("one").runtimes.get(id);
    if (!record) throw new Error("not started");
    // Both of them, for a moment.
    fixture.replica("two").runtimes.set(id, { ...record, replicaId: "two" });
    expect(await fixture.ask("GET", "/list")).toEqual(listOf([id]));
    // And its record still names the one that has gone.
    await fixture.replica("one").kill();
    expect(await fixture.ask("GET", "/list")).toEqual(listOf([id]));
  });

  test.each(["before it is missed", "after it is missed"])(
    "has what a neighbour takes over in the middle of it, %s",
    async (when) => {
      let afterPart = async (): Promise<void> => undefined;
      await using fixture = await createGatewayFixture({
        replicas: [],
        gateway: {
          fetchOf:
            ({ id }) =>
            async (input, init) => {
              const answer = await fetch(input, init);
              if (id === "two") await afterPart();
              return answer;
            },
        },
      });
      for (const id of ["one", "two"]) await fixture.addReplica(id, { engineId: "shared" });
      await fixture.gateway.refresh();
      const id = await startOn(fixture, "one");
      await fixture.replica("one").kill();
      if (when.startsWith("after")) {
        await fixture.registry.withdraw("one", "");
        await fixture.gateway.refresh();
      }
      afterPart = async () => void (await fixture.registry.takeOver(id, "one", "two"));
      expect(await fixture.ask("GET", "/list")).toEqual(listOf([id]));
    },
  );

  test("has what a replica has that is back when the registry goes away", async () => {
    let isDown = false;
    await using fixture = await createGatewayFixture({
      replicas: ["one", "two"],
      gateway: {
        fetchOf:
          ({ id }) =>
          (input, init) =>
            isDown && id === "one"
              ? Promise.reject(new TypeError("terminated"))
              : fetch(input, init),
      },
    });
    const [first, second] = [await startOn(fixture, "one"), await startOn(fixture, "two")];
    isDown = true;
    expect(await fixture.ask("GET", "/list")).toEqual(listOf([second, first]));
    isDown = false;
    // Of which this gateway does not know yet, as little as of the other's return.
    fixture.setRegistryAway(true);
    expect(await fixture.ask("GET", "/list")).toEqual(listOf([second, first]));
  });

  test("is the replicas' error when all of them give one", async () => {
    await using fixture = await createGatewayFixture({
      replicas: ["one", "two"],
      gateway: {
        fetchOf: () => async () => Response.json({ detail: "no such key" }, { status: 401 }),
      },
    });
    expect(await fixture.ask("GET", "/list")).toEqual({
      status: 401,
      body: { detail: "no such key", error: "no such key" },
    });
  });

  test("asks no further replicas while its client does not read", async () => {
    const asked = new Set<string>();
    const names = Array.from({ length: 40 }, (_, i) => `replica-${i}`);
    await using fixture = await createGatewayFixture({
      replicas: [],
      gateway: {
        fetchOf:
          ({ id }) =>
          async () => {
            asked.add(id);
            return Response.json({ runtimes: [{ runtime_id: id }], total: 1 });
          },
      },
    });
    for (const name of names) await fixture.addReplica(name);
    await fixture.gateway.refresh();
    const answer = await fixture.gateway.app.request("/list", {
      headers: { "x-api-key": "alice-key" },
    });
    const reader = answer.body?.getReader();
    await reader?.read();
    expect(asked.size).toBeLessThan(names.length / 2);
    while (!(await reader?.read())?.done);
    expect(asked.size).toBe(names.length);
  });
});
