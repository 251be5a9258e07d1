import { randomBytes } from "node:crypto";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import type { Cluster } from "../cluster/cluster.ts";
import { placedOn } from "../cluster/placed-on.ts";
import { buildInjectImage, type InjectImage } from "../inject/inject-image.ts";
import { runRealClient } from "../real-client/real-client.ts";
import { ensureRealImage } from "../real-image/real-image.ts";
import type { OwnEngine } from "../support/own-engine.ts";
import { startOwnRegistry, type OwnRegistry } from "../support/own-registry.ts";
import type { WireRuntime } from "../support/wire-runtime.ts";
import {
  AGENT_COMMAND,
  BASE_IMAGE,
  startClusterOn,
  startTwoEngines,
  type EnginesCluster,
} from "./own-engines.ts";

/** What the agent's command needs of the base image, and no more: engines write an image whole to hand it on. */
const SMALL = `FROM ${BASE_IMAGE} AS full
RUN set -eu; mkdir /small; \
    for program in /usr/bin/perl /usr/bin/sleep /usr/bin/dash; do \
      { echo $program; ldd $program | grep -o '/[^ ]*'; } \
      | xargs cp --parents --dereference -t /small; \
    done; \
    cp --recursive --parents /usr/lib/*-linux-gnu/perl-base /small; \
    mkdir /small/bin; ln -s /usr/bin/dash /small/bin/sh
FROM scratch
COPY --from=full /small /
`;

/** As many as image-caching scripts of clients send side by side. */
const BUILDS = 64;
/** Of these are the same as another. */
const TWICE = 2;
const STARTS = 6;
/** The client's images are large, and made once. */
const DEADLINE_MS = 40 * 60_000;

const Prefix = z.object({ registry_prefix: z.string() });

const resources = new AsyncDisposableStack();
let registry: OwnRegistry;
let engines: EnginesCluster["engines"];
let base: InjectImage;

beforeAll(async () => {
  registry = resources.use(await startOwnRegistry());
  ({ engines } = resources.use(await startTwoEngines([registry.address])));
  base = resources.use(await buildInjectImage(SMALL));
  for (const engine of engines) await engine.load(base.tag);
});

afterAll(() => resources.disposeAsync());

/** A cluster on both engines whose builds can be counted, and what images the client's script makes there. */
async function cached(env: Readonly<Record<string, string>>) {
  const stack = new AsyncDisposableStack();
  try {
    const temporary = await mkdtemp(join(tmpdir(), "test-many-images-"));
    stack.defer(() => rm(temporary, { recursive: true, force: true }));
    const cluster = stack.use(await startClusterOn(engines, { TMPDIR: temporary, ...env }));
    const images = await cacheImages(cluster);
    const files = await readdir(temporary, { recursive: true });
    return {
      cluster,
      images,
      /** Each build has written a log; who joins another one has none. */
      builds: files.filter((name) => name.endsWith(".log")).length,
      [Symbol.asyncDispose]: () => stack.disposeAsync(),
    };
  } catch (error) {
    await stack.disposeAsync();
    throw error;
  }
}

async function cacheImages({ gateway, key, replicas }: Cluster): Promise<string[]> {
  const marker = `test-${randomBytes(4).toString("hex")}`;
  await runRealClient({
    image: await ensureRealImage("v0-client", { log: console.error }),
    driver: "v0_many_builds.py",
    apiUrl: gateway.url,
    apiKey: key,
    env: {
      SERVER_IMAGE: base.tag,
      MARKER: marker,
      BUILDS: String(BUILDS),
      TWICE: String(TWICE),
    },
    log: console.error,
  }).catch((error: unknown) => {
    const logs = replicas.map((replica) => replica.log().slice(-10_000));
    throw new Error(`the replicas' logs:\n${logs.join("\n")}`, { cause: error });
  });
  const { registry_prefix } = Prefix.parse((await gateway.api.get("/registry_prefix")).json());
  return Array.from({ length: BUILDS - TWICE }, (_, at) => `${registry_prefix}/${marker}:${at}`);
}

async function heldOf(engine: OwnEngine, images: readonly string[]): Promise<string[]> {
  const names = await engine.docker("images", "--format", "{{.Repository}}:{{.Tag}}");
  const held = new Set(names.split("\n"));
  return images.filter((image) => held.has(image));
}

const idOf = (engine: OwnEngine, image: string): Promise<string> =>
  engine.docker("image", "inspect", "--format", "{{.Id}}", image);

/** Starts each of these images while the first replica takes no starts, all at once, and stops them when all were ready. */
async function startOnSecond(cluster: Cluster, images: readonly string[]): Promise<WireRuntime[]> {
  const { gateway, replicas } = cluster;
  const { api } = gateway;
  expect((await api.post(`/replicas/${replicas[0]?.id}/drain`, {})).status).toBe(200);
  const runtimes = await Promise.all(
    images.map((image) => api.startReady({ image, command: AGENT_COMMAND, session_id: image })),
  );
  expect(runtimes.map(placedOn)).toEqual(runtimes.map(() => replicas[1]?.id));
  await Promise.all(runtimes.map(({ runtime_id: id }) => api.stop(id)));
  return runtimes;
}

/** Those of the images that the engine has pulled from any registry since then. */
async function pullsOf(
  engine: OwnEngine,
  images: readonly string[],
  since: Date,
): Promise<string[]> {
  const [from, to] = [since.getTime(), Date.now() + 1_000].map((at) => String(at / 1000));
  const printed = await engine.docker(
    "events",
    "--filter=type=image",
    "--filter=event=pull",
    "--format={{.Actor.ID}}",
    `--since=${from}`,
    `--until=${to}`,
  );
  const pulled = new Set(printed.split("\n"));
  return images.filter((image) => pulled.has(image));
}

// Side by side, as clients spend half a minute between two looks at a build.
test.concurrent(
  "64 builds at once by V0's own builder end well on two engines, and without a registry either engine runs all of them",
  async () => {
    const since = new Date();
    await using done = await cached({});
    const { cluster, images } = done;
    expect(done.builds).toBe(BUILDS - TWICE);
    const [first, second] = [await heldOf(engines[0], images), await heldOf(engines[1], images)];
    expect([...first, ...second].toSorted()).toEqual(images.toSorted());
    const here = await cluster.gateway.api.startReady({
      image: first[0],
      command: AGENT_COMMAND,
      session_id: "where it was built",
    });
    expect(here.url).toContain(cluster.replicas[0]?.url);
    await cluster.gateway.api.stop(here.runtime_id);

    const wanted = first.slice(0, STARTS);
    expect(wanted).toHaveLength(STARTS);
    for (const runtime of await startOnSecond(cluster, wanted)) {
      expect(JSON.stringify(runtime.events)).toContain("Pulled");
    }
    for (const image of wanted) {
      expect(await idOf(engines[1], image)).toBe(await idOf(engines[0], image));
    }
    for (const engine of engines) expect(await pullsOf(engine, images, since)).toEqual([]);
  },
  DEADLINE_MS,
);

test.concurrent(
  "with a registry, an engine runs what the other one has built and lost since",
  async () => {
    const prefix = `${registry.address}/tests`;
    await using done = await cached({ REGISTRY: prefix });
    const { cluster, images } = done;
    expect(done.builds).toBe(BUILDS - TWICE);
    const first = await heldOf(engines[0], images);
    const second = await heldOf(engines[1], images);
    expect([...first, ...second].toSorted()).toEqual(images.toSorted());
    const wanted = first.slice(0, STARTS);
    const since = new Date();
    const ids = await Promise.all(wanted.map((image) => idOf(engines[0], image)));
    await engines[0].docker("rmi", ...wanted);
    await startOnSecond(cluster, wanted);
    expect(await Promise.all(wanted.map((image) => idOf(engines[1], image)))).toEqual(ids);
    expect(await pullsOf(engines[1], wanted, since)).toEqual(wanted);
  },
  DEADLINE_MS,
);
