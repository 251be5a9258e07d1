import { describe, expect, test } from "vitest";
import { createGatewayFixture, type GatewayFixture } from "./gateway-fixture.ts";

const images = Array.from({ length: 20 }, (_, i) => `docker.io/library/image-${i}:latest`);
const short = images.map((image) => image.replace("docker.io/library/", "").replace(":latest", ""));

function given(fixture: GatewayFixture, ids: string[], prefetchId: string): string[] {
  return ids.flatMap((id) => fixture.replica(id).given.get(prefetchId) ?? []);
}

async function homeOf(fixture: GatewayFixture, image: string): Promise<string | undefined> {
  const { body } = await fixture.ask("GET", `/placement?image=${image}`);
  return (body as { candidates: { replica_id: string }[] }).candidates[0]?.replica_id;
}

describe("POST /prefetch", () => {
  test("gives each image to its home once, whatever it is called", async () => {
    await using fixture = await createGatewayFixture({ replicas: ["one", "two", "three"] });
    const answer = await fixture.ask("POST", "/prefetch", {
      body: { prefetch_id: "p", images: [...short, ...images] },
    });
    expect(answer).toMatchObject({ status: 202, body: { prefetch_id: "p" } });
    const ids = ["one", "two", "three"];
    expect(given(fixture, ids, "p").toSorted()).toEqual(images.toSorted());
    for (const id of ids) {
      for (const image of fixture.replica(id).given.get("p") ?? []) {
        expect(await homeOf(fixture, image)).toBe(id);
      }
    }
    expect(await fixture.ask("GET", "/prefetch/p")).toMatchObject({
      status: 200,
      body: {
        replicas: ids.toSorted().map((id) => ({
          replica_id: id,
          state: "working",
          waiting: fixture.replica(id).given.get("p")?.length,
        })),
      },
    });
  });

  test("gives copies to different engines, and nothing to who drains", async () => {
    await using fixture = await createGatewayFixture({ replicas: [] });
    for (const [id, engineId, draining] of [
      ["one", "a", false],
      ["two", "a", false],
      ["three", "b", false],
      ["four", "c", true],
    ] as const) {
      await fixture.addReplica(id, { engineId, draining });
    }
    await fixture.gateway.refresh();
    const body = { prefetch_id: "p", images, copies: 5 };
    expect((await fixture.ask("POST", "/prefetch", { body })).status).toBe(202);
    expect(given(fixture, ["one", "two"], "p").toSorted()).toEqual(images.toSorted());
    expect(given(fixture, ["three"], "p").toSorted()).toEqual(images.toSorted());
    expect(given(fixture, ["four"], "p")).toEqual([]);
  });

  test("says which replica does not answer and which knows nothing, and does the rest", async () => {
    await using fixture = await createGatewayFixture({ replicas: ["one", "two"] });
    const missed: string[] = [];
    for (const image of images) if ((await homeOf(fixture, image)) === "one") missed.push(image);
    expect(missed.length).toBeGreaterThan(0);
    await fixture.replica("one").kill();
    const { status, body } = await fixture.ask("POST", "/prefetch", { body: { images } });
    expect([status, body]).toMatchObject([
      202,
      {
        prefetch_id: expect.stringMatching(/^[0-9a-f]{16}$/) as string,
        replicas: [
          {
            replica_id: "one",
            state: "silent",
            error: "replica one does not answer",
            failed: missed.length,
            failures: missed.map((image) => ({ image, error: "replica one does not answer" })),
          },
          { replica_id: "two", state: "working" },
        ],
      },
    ]);
    expect((await fixture.ask("GET", "/prefetch/other")).body).toMatchObject({
      replicas: [
        { replica_id: "one", state: "silent" },
        { replica_id: "two", state: "unknown" },
      ],
    });
  });

  test("refuses what is no list of images, who is no operator, and a ring that only drains", async () => {
    await using fixture = await createGatewayFixture({
      replicas: ["one"],
      gateway: { operators: ["bob"] },
    });
    const headers = { "x-api-key": "bob-key" };
    const statusOf = async (body: object): Promise<number> =>
      (await fixture.ask("POST", "/prefetch", { body, headers })).status;
    expect(await statusOf({ images: ["Not An Image"] })).toBe(400);
    expect(await statusOf({ images: [] })).toBe(400);
    expect(await statusOf({ images: Array.from({ length: 10_001 }, () => "a") })).toBe(400);
    expect(await statusOf({ images: ["a"], prefetch_id: "../up" })).toBe(400);
    expect(await statusOf({ images: ["a"], copies: 0 })).toBe(400);
    expect(await fixture.ask("POST", "/prefetch", { body: { images } })).toMatchObject({
      status: 403,
      body: { detail: expect.stringMatching(/alice may not prefetch.*OPERATORS/) as string },
    });
    expect((await fixture.ask("POST", "/prefetch/p/cancel")).status).toBe(403);
    await fixture.replica("one").announce({ draining: true });
    await fixture.gateway.refresh();
    expect(await statusOf({ images })).toBe(503);
  });
});

test("POST /prefetch/plan tells what is missing, how much that is and whether it fits", async () => {
  await using fixture = await createGatewayFixture({ replicas: [] });
  await fixture.addReplica("one", { roomBytes: 1_000 });
  await fixture.addReplica("two", { roomBytes: 10_000 });
  const image = (sizeBytes: number) => ({ createdAt: 1, sizeBytes });
  const held = new Map(images.slice(0, 19).map((each) => [each, image(200)]));
  await fixture.registry.publishInventory("one", held);
  await fixture.gateway.refresh();
  const plan = await fixture.ask("POST", "/prefetch/plan", { body: { images: short, copies: 2 } });
  expect(plan).toMatchObject({
    status: 200,
    body: {
      replicas: [
        {
          replica_id: "one",
          images: 20,
          held: 19,
          missing_bytes: 0,
          unknown_sizes: 1,
          room_bytes: 1_000,
          fits: "unknown",
        },
        {
          replica_id: "two",
          images: 20,
          held: 0,
          missing_bytes: 3_800,
          compressed_bytes: 0,
          unknown_sizes: 1,
          asking: 0,
          unknown_reasons: [{ reason: "there are no registries", images: 1 }],
          room_bytes: 10_000,
          fits: "unknown",
        },
      ],
    },
  });
  await fixture.replica("two").announce({ roomBytes: 3_000 });
  await fixture.gateway.refresh();
  const body = { images: images.slice(0, 19), copies: 2 };
  expect((await fixture.ask("POST", "/prefetch/plan", { body })).body).toMatchObject({
    replicas: [
      { replica_id: "one", fits: "yes" },
      { replica_id: "two", fits: "no" },
    ],
  });
  expect(given(fixture, ["one", "two"], "p")).toEqual([]);
});

test("POST /prefetch/plan has each replica ask registries for what no engine holds", async () => {
  await using fixture = await createGatewayFixture({ replicas: ["one", "two", "three"] });
  const image = { createdAt: 1, sizeBytes: 200 };
  const held = new Map(images.slice(0, 10).map((name) => [name, image]));
  await fixture.registry.publishInventory("one", held);
  await fixture.replica("one").announce({ roomBytes: 100_000 });
  await fixture.gateway.refresh();
  const sizes = { known: 7, bytes: 5_000, asking: 2, unknown: [{ reason: "odd", images: 1 }] };
  fixture.replica("one").answerNext("imageSizes", async () => sizes);
  fixture.replica("two").answerNext("imageSizes", async () => ({ ...sizes, asking: 0, known: 10 }));
  await fixture.replica("three").kill();
  const body = { images, copies: 3 };
  const { body: plan } = await fixture.ask("POST", "/prefetch/plan", { body });
  expect(plan).toMatchObject({
    replicas: [
      {
        replica_id: "one",
        missing_bytes: 0,
        compressed_bytes: 5_000,
        unknown_sizes: 3,
        asking: 2,
        unknown_reasons: [{ reason: "odd", images: 1 }],
        fits: "unknown",
      },
      {
        replica_id: "three",
        missing_bytes: 2_000,
        unknown_sizes: 10,
        unknown_reasons: [{ reason: "replica three does not answer", images: 10 }],
      },
      { replica_id: "two", missing_bytes: 2_000, compressed_bytes: 5_000, unknown_sizes: 0 },
    ],
  });
  const whole = { known: 10, bytes: 5_000, asking: 0, unknown: [] };
  fixture.replica("one").answerNext("imageSizes", async () => whole);
  const again = await fixture.ask("POST", "/prefetch/plan", { body });
  expect(again.body).toMatchObject({ replicas: [{ replica_id: "one", fits: "likely" }, {}, {}] });
});

test("POST /prefetch/plan says nothing of the room of a replica that does not announce it, as older ones do", async () => {
  await using fixture = await createGatewayFixture({ replicas: [] });
  await fixture.addReplica("new", { roomBytes: 1_000 });
  const { info } = await fixture.addReplica("old", { version: "0.0.9" });
  expect(info).not.toHaveProperty("roomBytes");
  const held = images.slice(0, 1).map((each) => [each, { createdAt: 1, sizeBytes: 200 }] as const);
  await fixture.registry.publishInventory("new", new Map(held));
  await fixture.gateway.refresh();
  const body = { images: short.slice(0, 1), copies: 2 };
  expect(await fixture.ask("POST", "/prefetch/plan", { body })).toMatchObject({
    status: 200,
    body: {
      replicas: [
        { replica_id: "new", missing_bytes: 0, room_bytes: 1_000, fits: "yes" },
        { replica_id: "old", missing_bytes: 200, room_bytes: null, fits: "unknown" },
      ],
    },
  });
});

test("pins are shown with who and when, and taken back", async () => {
  await using fixture = await createGatewayFixture({
    replicas: ["one"],
    gateway: { operators: ["alice"] },
  });
  const body = { images: ["image-0", "image-0:latest", "image-1"] };
  const headers = { "x-api-key": "bob-key" };
  expect((await fixture.ask("POST", "/pins", { body, headers })).status).toBe(403);
  expect((await fixture.ask("POST", "/pins/remove", { body, headers })).status).toBe(403);
  expect((await fixture.ask("POST", "/pins", { body })).body).toEqual({ pinned: 2 });
  const pinned_at = expect.stringMatching(/^2\d{3}-/) as string;
  expect((await fixture.ask("GET", "/pins")).body).toEqual({
    pins: images.slice(0, 2).map((image) => ({ image, pinned_by: "alice", pinned_at })),
  });
  const some = { images: ["image-1", "image-2"] };
  expect((await fixture.ask("POST", "/pins/remove", { body: some })).body).toEqual({ unpinned: 1 });
  expect([...(await fixture.registry.pins()).keys()]).toEqual([images[0]]);
});
