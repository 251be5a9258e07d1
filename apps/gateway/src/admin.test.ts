import { describe, expect, test } from "vitest";
import { createGatewayFixture } from "./gateway-fixture.ts";

const PYTHON = "docker.io/library/python:3";
const held = { createdAt: Date.UTC(2026, 0, 1), sizeBytes: 5_000 };

describe("GET /replicas", () => {
  test("shows each with its state, its load and what its engine holds", async () => {
    await using fixture = await createGatewayFixture({ replicas: ["one", "two", "three"] });
    await fixture.replica("one").announce({ load: 2, runtimes: 5 });
    await fixture.replica("two").announce({ load: 1, runtimes: 1, draining: true });
    await fixture.replica("three").announce({ draining: true });
    await fixture.registry.publishInventory("one", new Map([[PYTHON, held]]));
    await fixture.gateway.refresh();
    const { port } = new URL(fixture.replica("one").info.internalUrl);
    expect(await fixture.ask("GET", "/replicas")).toMatchObject({
      status: 200,
      body: {
        replicas: [
          {
            id: "one",
            state: "ready",
            load: 2,
            runtimes: 5,
            images: 1,
            gone_seconds: 0,
            url: `http://gateway.test:${port}`,
          },
          { id: "three", state: "drained", images: 0 },
          { id: "two", state: "draining" },
        ],
      },
    });
  });

  test("shows one that is gone, and since when", async () => {
    await using fixture = await createGatewayFixture({ replicas: ["one", "two", "three"] });
    await fixture.replica("two").kill();
    await fixture.registry.withdraw("two", "");
    await fixture.gateway.refresh();
    fixture.pass(40_000);
    await fixture.gateway.refresh();
    const { body } = await fixture.ask("GET", "/replicas");
    expect(body).toMatchObject({
      replicas: [{ id: "one" }, { id: "three" }, { id: "two", state: "gone", gone_seconds: 40 }],
    });
  });
});

describe("POST /replicas/{id}/drain and undrain", () => {
  test("take a replica's images away, and give them back", async () => {
    await using fixture = await createGatewayFixture({ replicas: ["one", "two"] });
    const home = async (): Promise<string> => {
      const { body } = await fixture.ask("GET", "/placement?image=python:3");
      return (body as { replica_id: string }).replica_id;
    };
    const before = await home();
    const drained = await fixture.ask("POST", `/replicas/${before}/drain`);
    expect(drained).toMatchObject({ status: 200, body: { id: before, state: "drained" } });
    expect(await home()).not.toBe(before);
    expect(await fixture.registry.drains()).toEqual(new Set([before]));
    await fixture.gateway.refresh();
    expect(await home()).not.toBe(before);
    const back = await fixture.ask("POST", `/replicas/${before}/undrain`);
    expect(back).toMatchObject({ status: 200, body: { id: before, state: "ready" } });
    expect(await home()).toBe(before);
  });

  test("refuse a replica that is not there, and a key that is no operator's", async () => {
    await using fixture = await createGatewayFixture({
      replicas: ["one"],
      gateway: { operators: ["bob"] },
    });
    const refused = await fixture.ask("POST", "/replicas/one/drain");
    expect(refused).toMatchObject({
      status: 403,
      body: { detail: expect.stringMatching(/alice.*OPERATORS/) },
    });
    const headers = { "x-api-key": "bob-key" };
    expect(await fixture.ask("POST", "/replicas/none/drain", { headers })).toMatchObject({
      status: 404,
      body: { detail: expect.stringContaining("none") },
    });
    expect(await fixture.registry.drains()).toEqual(new Set());
    expect((await fixture.ask("POST", "/replicas/one/drain", { headers })).status).toBe(200);
  });

  test("say that the registry is away", async () => {
    await using fixture = await createGatewayFixture({ replicas: ["one"] });
    fixture.setRegistryAway(true);
    expect((await fixture.ask("POST", "/replicas/one/drain")).status).toBe(503);
    expect((await fixture.ask("GET", "/replicas")).status).toBe(200);
  });
});

describe("GET /placement", () => {
  test("explains what it would choose and why", async () => {
    await using fixture = await createGatewayFixture({ replicas: ["one", "two", "three"] });
    await fixture.registry.publishInventory("three", new Map([[PYTHON, held]]));
    await fixture.gateway.refresh();
    const { status, body } = await fixture.ask("GET", "/placement?image=python:3");
    expect(status).toBe(200);
    expect(body).toMatchObject({
      image: PYTHON,
      kind: "cached",
      replica_id: "three",
      reason: expect.stringContaining("three has the image"),
      group: null,
    });
    const { candidates } = body as { candidates: { replica_id: string; holds: string }[] };
    expect(candidates.map(({ replica_id }) => replica_id).toSorted()).toEqual([
      "one",
      "three",
      "two",
    ]);
    expect(candidates.filter(({ holds }) => holds === "image")).toMatchObject([
      { replica_id: "three" },
    ]);
  });

  test("says where starts go while the registry is away", async () => {
    await using fixture = await createGatewayFixture({ replicas: ["one", "two", "three"] });
    await fixture.registry.publishInventory("three", new Map([[PYTHON, held]]));
    await fixture.gateway.refresh();
    fixture.setRegistryAway(true);
    await fixture.gateway.refresh().catch(() => undefined);
    const explained = async (image: string): Promise<unknown> =>
      (await fixture.ask("GET", `/placement?image=${image}`)).body;
    expect(await explained("python:3")).toMatchObject({
      replica_id: "three",
      kind: "cached",
      reason:
        "The registry is away, so that loads and groups have no say, and three has the image.",
    });
    expect(await explained("nobodys:1")).toMatchObject({
      kind: "home",
      reason: expect.stringMatching(/^The registry is away, .* is the image's home\.$/),
    });
  });

  test("shows where a group goes once one of its starts was placed", async () => {
    await using fixture = await createGatewayFixture({ replicas: ["one", "two", "three"] });
    await fixture.ask("POST", "/start", { body: { image: "python:3", session_id: "s" } });
    const { body } = await fixture.ask("GET", "/placement?image=python:3");
    const { replica_id } = body as { replica_id: string };
    expect(body).toMatchObject({ group: { replica_id, expires_in_seconds: 300 } });
  });

  test("refuses what is no image", async () => {
    await using fixture = await createGatewayFixture({ replicas: ["one"] });
    expect((await fixture.ask("GET", "/placement?image=Not%20An%20Image")).status).toBe(400);
    expect((await fixture.ask("GET", "/placement")).status).toBe(400);
  });
});
