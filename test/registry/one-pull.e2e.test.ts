import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Cluster } from "../cluster/cluster.ts";
import type { Member } from "../cluster/member.ts";
import { startOwnRegistry, type OwnRegistry } from "../support/own-registry.ts";
import { until } from "../support/until.ts";
import type { WireRuntime } from "../support/wire-runtime.ts";
import {
  AGENT_COMMAND,
  startClusterOn,
  startTwoEngines,
  type EnginesCluster,
} from "./own-engines.ts";
import { pushLayered } from "./push-layered.ts";

const WAITING_MS = 60_000;
const READY_MS = 180_000;

const resources = new AsyncDisposableStack();
/** A public one: none that the replicas know of. */
let hub: OwnRegistry;
let engines: EnginesCluster["engines"];
let cluster: Cluster;

beforeAll(async () => {
  hub = resources.use(await startOwnRegistry());
  ({ engines } = resources.use(await startTwoEngines([hub.address])));
  cluster = resources.use(await startClusterOn(engines));
});
afterAll(() => resources.disposeAsync());

type Start = { replica: Member; runtime: WireRuntime };

/** Starts an image that no engine has on both of them while the hub does not answer, until one waits for the other's pull. */
async function startOnBoth(
  name: string,
  meanwhile: (pulling: Start) => Promise<void> = async () => undefined,
): Promise<{ pulling: Start; waiting: Start }> {
  await pushLayered(`${hub.local}/${name}:1`);
  await hub.pause();
  try {
    const body = { image: `${hub.address}/${name}:1`, command: AGENT_COMMAND };
    const starts = await Promise.all(
      cluster.replicas.map(async (replica): Promise<Start> => {
        const session_id = `${name} on ${replica.id}`;
        return { replica, runtime: await replica.api.start({ ...body, session_id }) };
      }),
    );
    const seen = await until(() => Promise.all(starts.map(detailOf)), hasWaiting, {
      deadlineMs: WAITING_MS,
      what: "one that waits for the other",
    });
    const [waiting, pulling] = isWaiting(seen[0]) ? starts : starts.toReversed();
    if (!waiting || !pulling) throw new Error("two were started");
    expect(seen.find(isWaiting)).toContain(`replica ${pulling.replica.id} pulls it`);
    await meanwhile(pulling);
    return { pulling, waiting };
  } finally {
    await hub.unpause();
  }
}

const isWaiting = (detail: string | undefined): boolean =>
  detail?.includes("its copy is waited for") === true;
const hasWaiting = (details: string[]): boolean => details.some(isWaiting);

async function detailOf({ replica, runtime }: Start): Promise<string> {
  return (await replica.api.runtime(runtime.runtime_id)).status_detail ?? "";
}

const ready = ({ replica, runtime }: Start): Promise<WireRuntime> =>
  replica.api.untilStatus(runtime, "running", READY_MS);

/** What was sent of the image, and the words that lead to it. */
async function sentOf(name: string): Promise<string[]> {
  const requests = await hub.requests();
  return requests.filter((request) => request.startsWith(`GET /v2/${name}/`));
}

test("two engines that start one cold image at once make one pull from its registry", async () => {
  const name = `test-${randomBytes(4).toString("hex")}`;
  const { pulling, waiting } = await startOnBoth(name);
  await Promise.all([pulling, waiting].map(ready));
  const sent = await sentOf(name);
  // At least a manifest, its configuration and two layers.
  expect(sent.length).toBeGreaterThanOrEqual(4);
  expect(new Set(sent).size).toBe(sent.length);
  const format = ["image", "inspect", "--format", "{{.Id}}", `${hub.address}/${name}:1`];
  expect(await engines[0].docker(...format)).toBe(await engines[1].docker(...format));
  for (const { replica, runtime } of [pulling, waiting]) await replica.api.stop(runtime.runtime_id);
});

test("what a replica pulled that is gone since is pulled by the one that has waited for it", async () => {
  const name = `test-${randomBytes(4).toString("hex")}`;
  const { waiting } = await startOnBoth(name, ({ replica }) => replica.kill());
  await ready(waiting);
  await waiting.replica.api.stop(waiting.runtime.runtime_id);
});
