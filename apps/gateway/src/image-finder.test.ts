import { ServiceError } from "@remote-runtime/protocol";
import { describe, expect, test } from "vitest";
import { createGatewayFixture, type GatewayFixture } from "./gateway-fixture.ts";

const REPLICAS = ["one", "two", "three", "four"];
const IMAGES = Array.from({ length: 60 }, (_, i) => `sweb.eval.x86_64.project-${i}:latest`);

async function urlOf(fixture: GatewayFixture, image: string): Promise<string> {
  const { status, body } = await fixture.ask(
    "GET",
    `/image_exists?image=${encodeURIComponent(image)}`,
  );
  expect(status).toBe(200);
  if (typeof body !== "object" || body === null || !("url" in body)) throw new Error("no url");
  return String(body.url);
}

async function urlsOf(fixture: GatewayFixture): Promise<string[]> {
  return Promise.all(IMAGES.map((image) => urlOf(fixture, image)));
}

const directUrl = (fixture: GatewayFixture, id: string): string =>
  `http://gateway.test:${fixture.replica(id).info.publicPort}`;

describe("GET /image_exists", () => {
  test("leads each image to one replica, all of them in use, another gateway alike", async () => {
    await using fixture = await createGatewayFixture({ replicas: REPLICAS });
    const urls = await urlsOf(fixture);
    expect(new Set(urls)).toEqual(new Set(REPLICAS.map((id) => directUrl(fixture, id))));
    expect(await urlsOf(fixture)).toEqual(urls);
    await fixture.gateway.refresh();
    expect(await urlsOf(fixture)).toEqual(urls);
  });

  test("leads a start of the image to the same replica", async () => {
    await using fixture = await createGatewayFixture({ replicas: REPLICAS });
    for (const image of IMAGES.slice(0, 8)) {
      const url = await urlOf(fixture, image);
      const { body } = await fixture.ask("POST", "/start", { body: { image } });
      expect(body).toHaveProperty("url", expect.stringMatching(`^${url}/`));
    }
  });

  test("moves only the images of a replica that does not answer, or has left", async () => {
    await using fixture = await createGatewayFixture({ replicas: REPLICAS });
    const gone = directUrl(fixture, "two");
    const before = await urlsOf(fixture);
    await fixture.replica("two").kill();
    const whileSilent = await urlsOf(fixture);
    await fixture.registry.withdraw("two", "");
    await fixture.gateway.refresh();
    fixture.pass(10_000);
    await fixture.gateway.refresh();
    for (const after of [whileSilent, await urlsOf(fixture)]) {
      expect(after).not.toContain(gone);
      expect(after.filter((url, i) => url !== before[i])).toHaveLength(
        before.filter((url) => url === gone).length,
      );
    }
  });

  test("gives a replica that joins some of the images", async () => {
    await using fixture = await createGatewayFixture({ replicas: REPLICAS });
    const before = await urlsOf(fixture);
    await fixture.addReplica("five");
    await fixture.gateway.refresh();
    const after = await urlsOf(fixture);
    const moved = after.filter((url, i) => url !== before[i]);
    expect(new Set(moved)).toEqual(new Set([directUrl(fixture, "five")]));
    expect(moved.length).toBeLessThan(IMAGES.length / 2);
  });

  test("leads to the replica that has the image, wherever its home is", async () => {
    await using fixture = await createGatewayFixture({ replicas: REPLICAS });
    for (const id of REPLICAS) {
      const image = { createdAt: Date.UTC(2026, 0, 1), sizeBytes: 5_000 };
      const images = new Map([[`docker.io/library/only-${id}:latest`, image]]);
      await fixture.registry.publishInventory(id, images);
    }
    await fixture.gateway.refresh();
    for (const id of REPLICAS)
      expect(await urlOf(fixture, `only-${id}`)).toBe(directUrl(fixture, id));
  });

  test("goes on when a replica's engine does not answer, and refuses what is no image", async () => {
    await using fixture = await createGatewayFixture({ replicas: ["one", "two"] });
    const home = (await urlOf(fixture, "python:3")) === directUrl(fixture, "one") ? "one" : "two";
    fixture.replica(home).answerNext("imageExists", async () => {
      throw new ServiceError("unavailable", "the Docker engine does not answer");
    });
    expect(await urlOf(fixture, "python:3")).not.toBe(directUrl(fixture, home));
    expect((await fixture.ask("GET", "/image_exists?image=Not%20An%20Image")).status).toBe(400);
  });

  test("keeps all images where they are while an emptied registry is filled again", async () => {
    await using fixture = await createGatewayFixture({ replicas: REPLICAS });
    const before = await urlsOf(fixture);
    for (const id of REPLICAS) await fixture.registry.withdraw(id, "");
    await fixture.gateway.refresh();
    expect(await urlsOf(fixture)).toEqual(before);
    for (const id of REPLICAS) {
      await fixture.replica(id).announce();
      await fixture.gateway.refresh();
      expect(await urlsOf(fixture)).toEqual(before);
    }
  });
});

test("GET /image_exists believes the home, which has looked, of what no replica is known to hold", async () => {
  await using fixture = await createGatewayFixture({ replicas: ["one"] });
  const image = { upload_time: "2026-01-01T00:00:00.000Z", image_size_bytes: 7 };
  fixture.replica("one").answerNext("imageExists", async () => {
    return { exists: true, image, url: "http://told-by-the-replica" };
  });
  const found = { exists: true, image, url: directUrl(fixture, "one") };
  const path = "/image_exists?image=just-built:1";
  expect(await fixture.ask("GET", path)).toEqual({ status: 200, body: found });
  expect(await fixture.ask("GET", path)).toMatchObject({ status: 200, body: { exists: false } });
});

test("GET /registry_prefix is answered by any replica that can", async () => {
  await using fixture = await createGatewayFixture({ replicas: ["one", "two"] });
  await fixture.replica("one").kill();
  const answer = await fixture.ask("GET", "/registry_prefix");
  expect(answer).toEqual({ status: 200, body: { registry_prefix: "prefix of two" } });
});
