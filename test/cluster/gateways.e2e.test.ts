import { expect, test } from "vitest";
import { z } from "zod";
import { call } from "../support/call.ts";
import { stubStart } from "../support/stub-start.ts";
import { until } from "../support/until.ts";
import { WireRuntime } from "../support/wire-runtime.ts";
import { startCluster, type Cluster } from "./cluster.ts";
import type { Member } from "./member.ts";
import { placedOn } from "./placed-on.ts";
import { replicaStates } from "./published.ts";

const SESSIONS = 50;
/** Few run, so that the engine has little to do for many. */
const FEW = { MAX_RUNNING: "4" };

const idOf = ({ runtime_id: id }: WireRuntime): string => id;

const Placement = z.object({
  replica_id: z.string(),
  group: z.object({ replica_id: z.string() }).nullable(),
});

async function placementOf({ api }: Member, image: string): Promise<z.infer<typeof Placement>> {
  const { json } = await api.get(`/placement?image=${encodeURIComponent(image)}`);
  return Placement.parse(json());
}

/** As the clients do it that retry: whatever does not say 201 is asked again, with the same session. */
async function startAt({ api }: Member, image: string, session: string): Promise<string> {
  const answer = await until(
    () => api.post("/start", stubStart(image, { session_id: session })),
    ({ status }) => status === 201,
    { what: `${session} being started`, deadlineMs: 15_000 },
  );
  return idOf(WireRuntime.parse(answer.json()));
}

/** At a replica's own URL: where another replica was faster, it names the runtime that the session has there. */
async function startDirectly({ api }: Member, image: string, session: string): Promise<string> {
  const answer = await api.post("/start", stubStart(image, { session_id: session }));
  if (answer.status === 201) return idOf(WireRuntime.parse(answer.json()));
  expect(answer.status).toBe(409);
  return /has the live runtime (\w+) on replica/.exec(answer.text)?.[1] ?? answer.text;
}

/** Starts each session at all gateways and maybe a replica at once; the ids that they answered, a list for each session. */
async function startEverywhere(
  { gateways, image }: Cluster,
  sessions: readonly string[],
  replica?: Member,
): Promise<string[][]> {
  return Promise.all(
    sessions.map((session) =>
      Promise.all([
        ...gateways.map((one) => startAt(one, image, session)),
        ...(replica ? [startDirectly(replica, image, session)] : []),
      ]),
    ),
  );
}

function named(prefix: string, count = SESSIONS): string[] {
  return Array.from({ length: count }, (_, i) => `${prefix}-${i}`);
}

/** Throws unless there is one runtime for each session, by the list of each gateway. */
async function expectOneEach({ gateways }: Cluster, ids: readonly string[][]): Promise<void> {
  expect(ids.filter((each) => new Set(each).size !== 1)).toEqual([]);
  const expected = ids.map(([id = ""]) => id).toSorted();
  for (const { api } of gateways) {
    await until(
      async () => (await api.list()).map(idOf).toSorted().join(" "),
      (listed) => listed === expected.join(" "),
      { what: `the list of ${expected.length}`, deadlineMs: 10_000 },
    );
  }
}

test("sessions that are started at two gateways and a replica at once have one runtime each", async () => {
  await using cluster = await startCluster({ gateways: 2, env: () => FEW });
  const [replica] = cluster.replicas;
  if (!replica) throw new Error("two were started");
  const twice = await startEverywhere(cluster, named("twice"));
  await expectOneEach(cluster, twice);
  const thrice = await startEverywhere(cluster, named("thrice", 20), replica);
  await expectOneEach(cluster, [...twice, ...thrice]);
});

test("a start at the URL that /image_exists gave takes the starts of its image along, at all gateways", async () => {
  await using cluster = await startCluster({ gateways: 2 });
  const { gateways, replicas, image } = cluster;
  const placements = () => Promise.all(gateways.map((one) => placementOf(one, image)));
  const before = await placements();
  expect(before.map(({ group }) => group)).toEqual([null, null]);
  // Not the one that they would choose by themselves: both have the image, as they are on one engine.
  const other = replicas.find(({ id }) => id !== before[0]?.replica_id);
  if (!other) throw new Error("two were started");
  const direct = await other.api.start(stubStart(image));
  expect(direct.events[0]?.message).toBe(`placed on replica ${other.id} (direct)`);
  await until(placements, (all) => all.every(({ group }) => group?.replica_id === other.id), {
    what: "both gateways knowing where the starts of the image go",
    deadlineMs: 5_000,
  });
  const followers = await Promise.all(gateways.map(({ api }) => api.start(stubStart(image))));
  expect(followers.map(placedOn)).toEqual([other.id, other.id]);
});

test("a gateway that passes on all bytes itself does so for host names as well", async () => {
  await using cluster = await startCluster({
    env: (app) => ({
      RUNTIME_URL_BASE: "http://sandbox.test",
      ...(app === "gateway" ? { ROUTING: "gateway" } : { RUNTIME_URLS: "host" }),
    }),
  });
  const { api, url } = cluster.gateway;
  const ready = await api.startReady(stubStart(cluster.image));
  const { runtime_id: id } = ready;
  expect(ready.url).toBe(`http://${id}.sandbox.test`);
  const at = async (name: string): Promise<number> =>
    (await call(url, { target: "/alive", headers: { Host: name } })).status;
  expect(await at(`${id}.sandbox.test`)).toBe(200);
  expect(await at(`work-1-${id}.sandbox.test`)).toBe(200);
  await api.pause(id);
  expect(await at(`${id}.sandbox.test`)).toBe(503);
  await api.stop(id);
  expect(await at(`${id}.sandbox.test`)).toBe(404);
});

test("with Redis away, too, a session that is started at two gateways at once has one runtime", async () => {
  await using cluster = await startCluster({ gateways: 2, env: () => FEW });
  await cluster.redis.kill();
  const ids = await startEverywhere(cluster, named("away"));
  await expectOneEach(cluster, ids);
  await cluster.redis.restart();
  await until(
    () => Promise.all(cluster.gateways.map(({ api }) => replicaStates(api))),
    (all) => all.every((states) => states.every(({ state }) => state === "ready")),
  );
  expect(await startEverywhere(cluster, named("away"))).toEqual(ids);
  await expectOneEach(cluster, ids);
});

test("a replica that is drained at one gateway gets no more starts from either, and what it has stays", async () => {
  await using cluster = await startCluster({ gateways: 2 });
  const { gateways, replicas, image } = cluster;
  const [one, other] = gateways;
  const [drained, left] = replicas;
  if (!one || !other || !drained || !left) throw new Error("two of each were started");
  const held = await drained.api.startReady(stubStart(image));
  expect((await one.api.post(`/replicas/${drained.id}/drain`, {})).status).toBe(200);
  await until(
    () => replicaStates(other.api),
    (states) => states.some(({ id, state }) => id === drained.id && state === "draining"),
    { deadlineMs: 10_000, what: "the other gateway knowing it" },
  );
  const started = await Promise.all(
    [...gateways, ...gateways, ...gateways].map(({ api }) => api.start(stubStart(image))),
  );
  expect(started.map(placedOn)).toEqual(started.map(() => left.id));
  for (const { api } of gateways) {
    expect(await api.session(held.session_id)).toMatchObject({ status: "running", url: held.url });
    expect(idOf(await api.start(stubStart(image, { session_id: held.session_id })))).toBe(
      idOf(held),
    );
  }
  await one.api.pause(idOf(held));
  await other.api.resume(idOf(held));
  await one.api.untilReady(held);
  await other.api.stop(idOf(held));
  await until(
    () => replicaStates(one.api),
    (states) => states.some(({ id, state }) => id === drained.id && state === "drained"),
    { what: "its being drained" },
  );
});
