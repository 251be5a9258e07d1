import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  postLargeBuild,
  pruneBuildCache,
  settleMemory,
  watchMemory,
} from "@remote-runtime/testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startCluster, type Cluster } from "../cluster/cluster.ts";
import { ensureRealImage } from "../real-image/real-image.ts";
import { runRealClient } from "../real-client/real-client.ts";
import { startOwnRegistry, type OwnRegistry } from "../support/own-registry.ts";
import { until } from "../support/until.ts";
import { startHook } from "./hook.ts";
import { acceptedBuild, buildStatus, contextOf, endedBuild, removeImages } from "./build-client.ts";

const MIB = 1024 * 1024;
const MOST_GROWTH_BYTES = 30e6;
const marker = `test-build-${randomBytes(4).toString("hex")}`;
const repository = `localhost/${marker}/runtime`;
const began = new Date(Date.now() - 1000);
/** The real client's images are large, and made once. */
const IMAGES_MS = 40 * 60_000;
const CLIENT_MS = 8 * 60_000;
let cluster: Cluster;
let registry: OwnRegistry;
/** What clients build is below this, and goes to the registry; what the tests call differently stays. */
let pushed: string;
let temporary: string;

beforeAll(async () => {
  temporary = await mkdtemp(join(tmpdir(), "test-cluster-build-"));
  registry = await startOwnRegistry();
  pushed = `${registry.local}/${marker}`;
  const env = () => ({ TMPDIR: temporary, REGISTRY: pushed });
  cluster = await startCluster({
    gateways: 2,
    env: (app) => (app === "replica" ? env() : { TMPDIR: temporary }),
  });
});

afterAll(async () => {
  await cluster[Symbol.asyncDispose]();
  for (const prefix of [repository, pushed]) await removeImages(prefix);
  await registry[Symbol.asyncDispose]();
  await pruneBuildCache(marker, began);
  await rm(temporary, { recursive: true, force: true });
});

const step = (): string => `RUN : ${marker} ${randomBytes(6).toString("hex")}`;

/** Base URL and key, of a gateway or of what it has answered. */
const at = (url: string) => ({ url, key: cluster.key });

test("a gateway has it built by a replica: both know the build and the image, and so does another gateway", async () => {
  const [gateway, other] = cluster.gateways;
  if (!gateway || !other) throw new Error("two gateways");
  const context = await contextOf({ Dockerfile: `FROM ${cluster.image}\n${step()}\n` });
  const target = `${repository}:one`;
  const tag = `${repository}:two`;
  const { build_id, url } = await acceptedBuild(at(gateway.url), { context, target, tags: [tag] });
  const urls = cluster.replicas.map((replica) => replica.url);
  expect(urls).toContain(url);
  expect((await endedBuild(at(other.url), build_id)).status).toBe("SUCCESS");
  for (const where of [gateway.url, url]) {
    expect(await buildStatus(at(where), build_id)).toEqual({
      status: "SUCCESS",
      image: target,
      error: "",
    });
  }
  const exists = () => gateway.api.get(`/image_exists?image=${tag}`);
  const answer = await until(exists, (seen) => seen.text.includes("true"), { deadlineMs: 10_000 });
  expect(answer.json()).toMatchObject({ exists: true });
  const log = await gateway.api.get(`/build_logs?build_id=${build_id}`);
  expect(log.json()).toHaveProperty("log", expect.stringContaining(marker));
  const command = ["stub_agent", "60000"];
  const runtime = await gateway.api.startReady({ image: tag, command, session_id: marker });
  await gateway.api.stop(runtime.runtime_id);
});

test("an archive of 200 MB goes through a gateway of which it fills no memory", async () => {
  const [gateway] = cluster.gateways;
  if (!gateway) throw new Error("a gateway");
  const servers = [gateway, ...cluster.replicas].map(({ url }) => url);
  // The first upload loads what later ones have, wherever they go.
  for (const url of servers) {
    await postLargeBuild(at(url), { target: `${repository}:small`, bytes: MIB });
  }
  for (const url of servers) await settleMemory(url);
  const watched = await Promise.all(servers.map((url) => watchMemory(url)));
  const posted = await postLargeBuild(at(gateway.url), {
    target: `${repository}:large`,
    bytes: 200e6,
  });
  expect(posted.status).toBe(202);
  const { build_id } = JSON.parse(posted.body) as { build_id: string };
  expect((await endedBuild(at(gateway.url), build_id)).status).toBe("SUCCESS");
  const growths = await Promise.all(watched.map((watch) => watch.end()));
  for (const growth of growths) expect(growth).toBeLessThan(MOST_GROWTH_BYTES);
});

test("whoever polls hears of the end when the replica dies in the middle of a build", async () => {
  const { gateway } = cluster;
  const context = await contextOf({
    Dockerfile: `FROM ${cluster.image}\n${step()}\nRUN sleep 600 # ${marker}\n`,
  });
  const target = `${repository}:lost`;
  const { build_id, url } = await acceptedBuild(at(gateway.url), { context, target });
  const replica = cluster.replicas.find((each) => each.url === url);
  if (!replica) throw new Error(`no replica at ${url}`);
  await replica.kill();
  expect(["WORKING", "INTERNAL_ERROR"]).toContain(
    (await buildStatus(at(gateway.url), build_id)).status,
  );
  await replica.restart();
  const lost = await endedBuild(at(gateway.url), build_id);
  expect(lost).toMatchObject({
    status: "INTERNAL_ERROR",
    error: expect.stringMatching(/anew|gone/),
  });
});

test(
  "V0's own RemoteRuntimeBuilder builds in two steps, and its RemoteRuntime runs the result from the registry",
  async () => {
    const removed: string[] = [];
    await using forget = await startHook(async () => {
      await removeImages(pushed);
      removed.push(pushed);
    });
    const done = await runRealClient({
      image: await ensureRealImage("v0-client", { log: console.error }),
      driver: "v0_runtime_builder.py",
      apiUrl: cluster.gateway.url,
      apiKey: cluster.key,
      env: {
        SERVER_IMAGE: await ensureRealImage("v0-runtime", { log: console.error }),
        MARKER: marker,
        BEFORE_START: forget.url,
      },
      timeoutMs: CLIENT_MS,
    }).catch((error: unknown) => {
      const logs = cluster.replicas.map((replica) => replica.log().slice(-10_000));
      throw new Error(`the replicas' logs:\n${logs.join("\n")}`, { cause: error });
    });
    expect(removed).toEqual([pushed]);
    expect(done.map((each) => each.step)).toEqual(
      expect.arrayContaining(["build", "build on top", "failing build", "start", "stop"]),
    );
  },
  IMAGES_MS + CLIENT_MS,
);
