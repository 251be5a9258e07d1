import { describe, expect, test } from "vitest";
import { replicaTagOf, ServiceError } from "@remote-runtime/protocol";
import { createGatewayFixture, type GatewayFixture } from "./gateway-fixture.ts";

const REPLICAS = ["one", "two", "three"];
const IMAGE = "localhost/openhands/runtime:hash";
const HOUR_MS = 3_600_000;

/** A gzipped tar archive with this Dockerfile alone. */
async function archive(dockerfile: string): Promise<Blob> {
  const block = Buffer.alloc(512);
  const body = Buffer.from(dockerfile);
  block.write("Dockerfile");
  block.write("0000644\0", 100);
  block.write(`${body.length.toString(8).padStart(11, "0")}\0`, 124);
  block.write("0", 156);
  block.write("ustar\u000000", 257);
  block.fill(" ", 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  const padded = Buffer.alloc(Math.ceil(body.length / 512) * 512 + 1024);
  body.copy(padded);
  const tar = new Blob([block, padded]).stream().pipeThrough(new CompressionStream("gzip"));
  return new Response(tar).blob();
}

async function build(
  fixture: GatewayFixture,
  { dockerfile = "FROM scratch\n", tags = [] }: { dockerfile?: string; tags?: string[] } = {},
) {
  const form = new FormData();
  const text = Buffer.from(await (await archive(dockerfile)).arrayBuffer()).toString("base64");
  form.append("context", new Blob([text]), "context.tar.gz");
  form.append("target_image", IMAGE);
  for (const tag of tags) form.append("tags", tag);
  form.append("use_cache", "");
  const answer = await fixture.gateway.app.request("/build", {
    method: "POST",
    headers: { host: "gateway.test:8000", "x-api-key": "alice-key" },
    body: form,
  });
  return { status: answer.status, body: await answer.json() };
}

/** The replicas that got an upload. */
function takers(fixture: GatewayFixture): string[] {
  return REPLICAS.filter((id) => fixture.replica(id).uploads.length > 0);
}

async function hold(fixture: GatewayFixture, replicaId: string, image: string): Promise<void> {
  const images = new Map([[image, { createdAt: 1, sizeBytes: 1 }]]);
  await fixture.registry.publishInventory(replicaId, images);
  await fixture.gateway.refresh();
}

describe("POST /build at a gateway", () => {
  test("hands the archive on to where a start would go, and answers with that replica's URL", async () => {
    await using fixture = await createGatewayFixture({ replicas: REPLICAS });
    const placement = await fixture.ask("GET", `/placement?image=${IMAGE}`);
    const { replica_id } = placement.body as { replica_id: string };
    const { status, body } = await build(fixture, { tags: [`${IMAGE}-lock`, IMAGE] });
    expect(takers(fixture)).toEqual([replica_id]);
    const { info, uploads, requests } = fixture.replica(replica_id);
    const url = `http://gateway.test:${info.publicPort}`;
    expect({ status, body }).toEqual({
      status: 202,
      body: { build_id: `${info.tag}aaaaaaaaaaaa`, url },
    });
    const [upload] = uploads;
    expect(upload?.get("target_image")).toBe(IMAGE);
    expect(upload?.getAll("tags")).toEqual([`${IMAGE}-lock`]);
    expect(upload?.get("use_cache")).toBe("true");
    // The replica gets it decoded: a gzip file begins so.
    const file = upload?.get("context") as File;
    expect([...new Uint8Array(await file.arrayBuffer()).slice(0, 2)]).toEqual([0x1f, 0x8b]);
    const headers = requests.find(({ path }) => path === "/build")?.headers;
    expect(headers?.get("x-runtime-base-url")).toBe(url);
    expect(headers?.get("x-api-key")).toBe("alice-key");
  });

  test("goes to the replica that holds what the image begins from, if that was built as well", async () => {
    await using fixture = await createGatewayFixture({ replicas: REPLICAS });
    const base = "localhost/openhands/runtime:lock";
    for (const id of REPLICAS) {
      await hold(fixture, id, base);
      await build(fixture, { dockerfile: `# for ${id}\nFROM ${base}\n` });
      expect(takers(fixture)).toContain(id);
      await fixture.registry.publishInventory(id, new Map());
    }
  });

  test("gives the same content to one replica, which builds it once, at all gateways and whatever their loads", async () => {
    await using fixture = await createGatewayFixture({ replicas: REPLICAS });
    await Promise.all([build(fixture), build(fixture)]);
    const [taker = ""] = takers(fixture);
    expect(takers(fixture)).toEqual([taker]);
    // Any other image would go elsewhere now.
    await fixture.replica(taker).announce({ load: 1_000 });
    await fixture.gateway.refresh();
    const placement = await fixture.ask("GET", `/placement?image=${IMAGE}`);
    expect(placement.body).not.toMatchObject({ replica_id: taker });
    await build(fixture);
    expect([takers(fixture), fixture.replica(taker).uploads.length]).toEqual([[taker], 3]);
    // Other content is another build, and nobody waits for one that drains.
    await build(fixture, { dockerfile: "FROM scratch\nLABEL a=b\n" });
    expect(takers(fixture)).toHaveLength(2);
    await fixture.replica(taker).announce({ load: 1_000, draining: true });
    await fixture.gateway.refresh();
    await build(fixture);
    expect(fixture.replica(taker).uploads).toHaveLength(3);
  });

  const home = async (fixture: GatewayFixture): Promise<string> => {
    const { body } = await fixture.ask("GET", `/placement?image=${IMAGE}`);
    return (body as { replica_id: string }).replica_id;
  };

  test.each(["too_many_requests", "unavailable", "bad_gateway"] as const)(
    "passes over a replica that says %s",
    async (code) => {
      await using fixture = await createGatewayFixture({ replicas: REPLICAS });
      const first = await home(fixture);
      const answer = () => Promise.reject(new ServiceError(code, "100 builds wait already"));
      fixture.replica(first).answerNext("build", answer);
      expect((await build(fixture)).status).toBe(202);
      expect(takers(fixture)).toHaveLength(1);
      expect(takers(fixture)).not.toContain(first);
    },
  );

  test("says of replicas of which one is full and the others away that it may be sent again", async () => {
    await using fixture = await createGatewayFixture({ replicas: REPLICAS });
    const [full = "", ...away] = REPLICAS;
    const text = "100 builds wait here already";
    const refusal = () => Promise.reject(new ServiceError("too_many_requests", text));
    fixture.replica(full).answerNext("build", refusal);
    await Promise.all(away.map((id) => fixture.replica(id).kill()));
    expect(await build(fixture)).toEqual({ status: 429, body: { detail: text, error: text } });
  });

  test("has a replica wait for room a moment while there are others, and the last one as long as clients do", async () => {
    await using fixture = await createGatewayFixture({ replicas: ["one", "two"] });
    const first = await home(fixture);
    const full = () => Promise.reject(new ServiceError("too_many_requests", "full"));
    fixture.replica(first).answerNext("build", full);
    await build(fixture);
    const waits = ["one", "two"].map((id) =>
      Number(fixture.replica(id).requests.at(-1)?.headers.get("x-runtime-room-wait-ms")),
    );
    const [last = 0] = waits.toSorted((a, b) => b - a);
    expect(waits).toContain(2_000);
    expect(last).toBeGreaterThan(10_000);
    expect(last).toBeLessThanOrEqual(15_000);
  });

  test("asks no others once full replicas have taken 15 s", async () => {
    await using fixture = await createGatewayFixture({ replicas: REPLICAS });
    fixture.replica(await home(fixture)).answerNext("build", () => {
      fixture.pass(15_000);
      return Promise.reject(new ServiceError("too_many_requests", "full"));
    });
    expect((await build(fixture)).status).toBe(429);
    expect(takers(fixture)).toEqual([]);
  });

  test("passes over replicas that are gone, and says so when none is left", async () => {
    await using fixture = await createGatewayFixture({ replicas: REPLICAS });
    await fixture.replica(await home(fixture)).kill();
    expect((await build(fixture)).status).toBe(202);
    await Promise.all(REPLICAS.map((id) => fixture.replica(id).kill()));
    const none = await build(fixture);
    expect(none.status).toBe(503);
    expect(none.body).toMatchObject({ detail: expect.any(String), error: expect.any(String) });
  });

  test("refuses what no replica would build, before any is asked", async () => {
    await using fixture = await createGatewayFixture({ replicas: REPLICAS });
    expect(await build(fixture, { tags: ["Not An Image"] })).toMatchObject({ status: 400 });
    expect(takers(fixture)).toEqual([]);
  });
});

describe("GET /build_status at a gateway", () => {
  const status = async (fixture: GatewayFixture, id: string) =>
    fixture.ask("GET", `/build_status?build_id=${id}`);
  const idOf = (replica: string): string => `${replicaTagOf(replica)}aaaaaaaaaaaa`;

  test("finds the build by its id, and says SUCCESS when it knows of the image", async () => {
    await using fixture = await createGatewayFixture({ replicas: ["one"] });
    await build(fixture);
    await hold(fixture, "one", IMAGE);
    const answer = await status(fixture, idOf("one"));
    expect(answer).toEqual({ status: 200, body: { status: "SUCCESS", image: IMAGE, error: "" } });
    const log = await fixture.ask("GET", `/build_logs?build_id=${idOf("one")}`);
    expect(log.body).toMatchObject({ log: "log of one" });
  });

  test("lets nobody poll for ever: a lost build has failed, one on a silent replica may not have", async () => {
    await using fixture = await createGatewayFixture({ replicas: ["one", "two"] });
    const lost = { status: 200, body: { status: "INTERNAL_ERROR" } };
    expect(await status(fixture, idOf("one"))).toMatchObject(lost);
    expect(await status(fixture, idOf("never was"))).toMatchObject(lost);
    expect((await status(fixture, "no-id")).status).toBe(404);
    await fixture.replica("one").kill();
    expect(await status(fixture, idOf("one"))).toMatchObject({ body: { status: "WORKING" } });
    fixture.setRegistryAway(true);
    fixture.pass(61_000);
    expect(await status(fixture, idOf("one"))).toMatchObject({ body: { status: "WORKING" } });
    fixture.pass(61_000);
    expect(await status(fixture, idOf("one"))).toMatchObject(lost);
    fixture.pass(HOUR_MS);
    expect(await status(fixture, idOf("one"))).toMatchObject({ body: { status: "WORKING" } });
    fixture.setRegistryAway(false);
    await fixture.registry.withdraw("one", "");
    for (let look = 0; look < 3; look += 1) {
      await fixture.gateway.refresh();
      fixture.pass(HOUR_MS);
    }
    expect(await status(fixture, idOf("one"))).toMatchObject(lost);
  });
});
