import { randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import { z } from "zod";
import { docker } from "../support/docker.ts";
import { until } from "../support/until.ts";
import { startCluster } from "./cluster.ts";
import type { Member } from "./member.ts";

/** What is promised; on a machine with nothing else to do it is some 100 ms. */
const KNOWN_MS = 1_000;

const Existence = z.object({ exists: z.boolean() });
const Placement = z.object({ candidates: z.array(z.object({ holds: z.string() })) });

async function exists({ api }: Member, image: string): Promise<boolean> {
  const answer = await api.get(`/image_exists?image=${encodeURIComponent(image)}`);
  return Existence.parse(answer.json()).exists;
}

async function holders({ api }: Member, image: string): Promise<number> {
  const answer = await api.get(`/placement?image=${encodeURIComponent(image)}`);
  return Placement.parse(answer.json()).candidates.filter(({ holds }) => holds === "image").length;
}

test("an image that appears on an engine, and goes from it, is known so to both gateways within a second", async () => {
  await using cluster = await startCluster({ gateways: 2 });
  const { gateways, image, replicas } = cluster;
  const name = `openhands-faults-${randomBytes(6).toString("hex")}:1`;
  await using tag = new AsyncDisposableStack();
  const untilKnown = async (known: boolean): Promise<void> => {
    await until(
      () =>
        Promise.all(
          gateways.map(async (one) => [await exists(one, name), await holders(one, name)]),
        ),
      (seen) =>
        seen.every(([is, count]) => is === known && count === (known ? replicas.length : 0)),
      { deadlineMs: KNOWN_MS, what: `${name} being ${known ? "held" : "gone"} at both` },
    );
  };
  await untilKnown(false);
  tag.defer(async () => void (await docker("rmi", "--force", name).catch(() => undefined)));
  await docker("tag", image, name);
  await untilKnown(true);
  await docker("rmi", name);
  await untilKnown(false);
  expect(await docker("images", "--quiet", name)).toBe("");
});
