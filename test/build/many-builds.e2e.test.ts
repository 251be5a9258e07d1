import { randomBytes } from "node:crypto";
import { pruneBuildCache } from "@remote-runtime/testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startCluster, type Cluster } from "../cluster/cluster.ts";
import {
  acceptedBuild,
  contextOf,
  endedBuild,
  postBuild,
  removeImages,
  type Status,
} from "./build-client.ts";

/** As many as image-caching scripts of clients send side by side. */
const COUNT = 64;
const UPLOAD_BYTES = 2e6;
/** Of the second gateway, which holds twice as much. */
const MAX_BUILD_CONTEXT_MIB = "16";
const DEADLINE_MS = 240_000;
/** In each step, so that the engine's cache can be cleared of them. */
const marker = `test-many-builds-${randomBytes(4).toString("hex")}`;
const began = new Date(Date.now() - 1000);
let cluster: Cluster;

beforeAll(async () => {
  cluster = await startCluster({
    gateways: 2,
    env: (app, at) => (app === "gateway" && at === 1 ? { MAX_BUILD_CONTEXT_MIB } : {}),
  });
});

afterAll(async () => {
  await cluster[Symbol.asyncDispose]();
  await removeImages(`localhost/${marker}`);
  await pruneBuildCache(marker, began);
});

test(
  "64 builds sent at once to a gateway all end well, on both replicas",
  async () => {
    const where = { url: cluster.gateway.url, key: cluster.key };
    const accepted = await Promise.all(
      Array.from({ length: COUNT }, async (_, index) => {
        const context = await contextOf({
          Dockerfile: `FROM scratch\nCOPY word.txt /${marker}\n`,
          "word.txt": String(index),
        });
        const target = `localhost/${marker}/image-${index}:1`;
        return { ...(await acceptedBuild(where, { context, target })), target };
      }),
    );
    expect(new Set(accepted.map(({ url }) => url)).size).toBe(2);
    const ends: Status[] = [];
    for (const { build_id: id } of accepted) ends.push(await endedBuild(where, id));
    expect(ends).toEqual(
      accepted.map(({ target }) => ({ status: "SUCCESS", image: target, error: "" })),
    );
  },
  DEADLINE_MS,
);

test(
  "64 uploads that are more together than a gateway holds wait for each other, and are all taken",
  async () => {
    const where = { url: cluster.gateways[1]?.url ?? "", key: cluster.key };
    const context = await contextOf({
      Dockerfile: `FROM scratch\nCOPY Dockerfile /${marker}\n`,
      // Packed, a character of these takes half a byte.
      large: randomBytes(UPLOAD_BYTES).toString("hex"),
    });
    // One build: what is to be seen is how they come through.
    const target = `localhost/${marker}/large:1`;
    const answers = await Promise.all(
      Array.from({ length: COUNT }, () => postBuild(where, { context, target })),
    );
    expect(answers.map(({ status }) => status)).toEqual(Array(COUNT).fill(202));
  },
  DEADLINE_MS,
);
