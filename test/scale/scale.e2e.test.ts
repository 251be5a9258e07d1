import {
  type Fleet,
  type GatewayProcess,
  imageName,
  residentBytes,
  spawnFleet,
  startGatewayProcess,
} from "@remote-runtime/bench";
import { startRedis } from "@remote-runtime/testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { type Api, apiOf } from "../support/api.ts";
import { until } from "../support/until.ts";

const KEY = "scale-key";
const REPLICAS = 20;
const IMAGES_EACH = 2_000;
const RUNTIMES_EACH = 100;
/** Usually it is about 200. */
const MOST_MEMORY_MB = 300;
const AT_ONCE = 10;
/** What a change in the registry may take to be known at every gateway. */
const KNOWN_MS = 3_000;

/** For all inventories to be read again, on a machine that has other things to do. */
const REPUBLISHED_MS = 30_000;

/** 200 that some replica holds, ten of each, and 100 that nobody holds. */
const NAMES = [
  ...Array.from({ length: 200 }, (_, i) => imageName((i * REPLICAS * IMAGES_EACH) / 200)),
  ...Array.from({ length: 100 }, (_, i) => imageName(i, 7)),
];

/** Of these it is asked where they would go: that answer is long. */
const PLACED = NAMES.filter((_, i) => i % 3 === 0);

const Answer = z.object({ exists: z.boolean(), image: z.unknown(), url: z.url() });
const Placement = z.object({
  replica_id: z.string(),
  candidates: z.array(z.object({ replica_id: z.string(), holds: z.string() })),
});
type Answers = Map<string, z.infer<typeof Answer>>;

const stack = new AsyncDisposableStack();
let fleet: Fleet;
let replicas: { id: string; url: string }[];
/** Two gateways over the same fleet. */
let gateways: GatewayProcess[];
let apis: Api[];

beforeAll(async () => {
  const redis = stack.use(await startRedis());
  const options = { redisUrl: redis.url, key: KEY };
  fleet = stack.use(
    await spawnFleet({
      ...options,
      replicas: REPLICAS,
      imagesEach: IMAGES_EACH,
      runtimesEach: RUNTIMES_EACH,
    }),
  );
  replicas = await fleet.replicas();
  gateways = await Promise.all([startGatewayProcess(options), startGatewayProcess(options)]);
  apis = gateways.map((gateway) => apiOf({ url: stack.use(gateway).url, key: KEY }));
});

afterAll(() => stack.disposeAsync());

async function askAll<T>(
  names: readonly string[],
  ask: (name: string) => Promise<T>,
): Promise<Map<string, T>> {
  const answers = new Map<string, T>();
  const left = [...names];
  const lane = async (): Promise<void> => {
    for (let name = left.pop(); name !== undefined; name = left.pop()) {
      answers.set(name, await ask(name));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
  return answers;
}

async function answersOf(api: Api, names: readonly string[]): Promise<Answers> {
  return askAll(names, async (name) => {
    const answer = await api.get(`/image_exists?image=${encodeURIComponent(name)}`);
    return Answer.parse(answer.json());
  });
}

/** What both gateways say, which is the same. */
async function sameAnswers(names: readonly string[] = NAMES): Promise<Answers> {
  const [one, other] = await Promise.all(apis.map((api) => answersOf(api, names)));
  expect(one).toEqual(other);
  return one ?? new Map();
}

type Placement = z.infer<typeof Placement>;

/** Where a start of each image would go; unlike /image_exists the question promises nothing. */
async function placementsOf(api: Api, names: readonly string[]): Promise<Map<string, Placement>> {
  return askAll(names, async (name) => {
    const answer = await api.get(`/placement?image=${encodeURIComponent(name)}`);
    return Placement.parse(answer.json());
  });
}

/** By image, the same at both gateways. */
async function samePlaces(): Promise<Map<string, string>> {
  const [one = new Map<string, string>(), other] = await Promise.all(
    apis.map(async (api) => {
      const placements = await placementsOf(api, PLACED);
      return new Map([...placements].map(([name, { replica_id: id }]) => [name, id]));
    }),
  );
  expect(one).toEqual(other);
  return one;
}

function namesAt(places: Map<string, string>, replicaId: string): string[] {
  return [...places].filter(([, id]) => id === replicaId).map(([name]) => name);
}

function movedNames(before: Map<string, string>, after: Map<string, string>): string[] {
  return [...before].filter(([name, id]) => after.get(name) !== id).map(([name]) => name);
}

/** Until both gateways lead so many of these names to that replica. */
async function untilLeading(count: number, names: string[], replicaId: string): Promise<void> {
  const leading = async (): Promise<number[]> => {
    const seen = await Promise.all(apis.map((api) => placementsOf(api, names)));
    const ids = seen.map((each) => [...each.values()].map(({ replica_id: id }) => id));
    return ids.map((each) => each.filter((id) => id === replicaId).length);
  };
  const isSo = (counts: number[]): boolean => counts.every((each) => each === count);
  await until(leading, isSo, { what: `${count} images leading to ${replicaId}` });
}

test("two gateways give the same answers for 300 images, each held one at its holder", async () => {
  const answers = await sameAnswers();
  const held = NAMES.slice(0, 200).map((name) => answers.get(name));
  expect(held.every((answer) => answer?.exists)).toBe(true);
  for (const [index, { url }] of replicas.entries()) {
    const its = held.slice(index * 10, index * 10 + 10);
    expect(its.map((answer) => answer?.url)).toEqual(its.map(() => url));
  }
  const unknown = NAMES.slice(200).map((name) => answers.get(name));
  expect(unknown.some((answer) => answer?.exists)).toBe(false);
  expect(new Set(unknown.map((answer) => answer?.url)).size).toBeGreaterThan(REPLICAS / 2);
});

test("two gateways list the same 2,000 runtimes", async () => {
  const byId = async (api: Api) =>
    new Map((await api.list()).map((runtime) => [runtime.runtime_id, runtime]));
  const [one, other] = await Promise.all(apis.map(byId));
  expect(one?.size).toBe(REPLICAS * RUNTIMES_EACH);
  expect(one).toEqual(other);
});

test("ten lists at once are all whole", async () => {
  const five = (api: Api) => Array.from({ length: 5 }, () => api.list());
  const lists = await Promise.all(apis.flatMap(five));
  for (const list of lists) {
    expect(list).toHaveLength(REPLICAS * RUNTIMES_EACH);
    expect(new Set(list.map(({ runtime_id: id }) => id)).size).toBe(REPLICAS * RUNTIMES_EACH);
  }
});

test("an image that a replica gets or loses is known at both gateways within a second", async () => {
  const image = imageName(1, 9);
  const { id = "", url = "" } = replicas[5] ?? {};
  const holdsBy = (api: Api) => async (): Promise<string | undefined> => {
    const placement = (await placementsOf(api, [image])).get(image);
    return placement?.candidates.find(({ replica_id: each }) => each === id)?.holds;
  };
  const becomes = (wanted: string) =>
    Promise.all(
      apis.map((api) =>
        until(holdsBy(api), (holds) => holds === wanted, {
          deadlineMs: KNOWN_MS,
          everyMs: 10,
          what: `${id} with ${wanted}`,
        }),
      ),
    );
  await becomes("nothing");
  await fleet.changeInventory(5, { added: [image] });
  await becomes("image");
  // The simulated replicas themselves deny all images: a yes is from a gateway's memory.
  expect((await sameAnswers([image])).get(image)).toMatchObject({ exists: true, url });
  await fleet.changeInventory(5, { removed: [image] });
  await becomes("nothing");
});

test("drain moves a replica's names away at both gateways, and undrain brings them back", async () => {
  const { id = "" } = replicas[7] ?? {};
  const before = await samePlaces();
  const its = namesAt(before, id);
  expect(its.length).toBeGreaterThanOrEqual(3);

  const drained = await apis[0]?.post(`/replicas/${id}/drain`, {});
  expect(drained?.json()).toMatchObject({ id, state: "draining", runtimes: RUNTIMES_EACH });
  await untilLeading(0, its, id);
  expect(movedNames(before, await samePlaces()).toSorted()).toEqual(its.toSorted());

  const undrained = await apis[1]?.post(`/replicas/${id}/undrain`, {});
  expect(undrained?.json()).toMatchObject({ id, state: "ready" });
  await untilLeading(its.length, its, id);
  expect(await samePlaces()).toEqual(before);
});

test("a replica that leaves moves only its own names", async () => {
  const { id = "" } = replicas[3] ?? {};
  const before = await samePlaces();
  const its = namesAt(before, id);
  expect(its.length).toBeGreaterThanOrEqual(3);
  await fleet.leave(3);
  await untilLeading(0, its, id);
  expect(movedNames(before, await samePlaces()).toSorted()).toEqual(its.toSorted());
  await sameAnswers();
});

test("inventories anew are known whole, and the memory of it all stays within bounds", async () => {
  const left = replicas.flatMap((_, index) => (index === 3 ? [] : [index]));
  await fleet.republish(1);
  const last = left.map((index) => imageName((index + 1) * IMAGES_EACH - 1, 1));
  const gone = left.map((index) => imageName(index * IMAGES_EACH));
  const isKnown = (answers: Answers[]): boolean =>
    answers.every((each) => last.every((name) => each.get(name)?.exists));
  await until(() => Promise.all(apis.map((api) => answersOf(api, last))), isKnown, {
    deadlineMs: REPUBLISHED_MS,
    what: "the gateways with the new inventories",
  });
  expect([...(await sameAnswers(gone)).values()].some(({ exists }) => exists)).toBe(false);
  const most = await Promise.all(gateways.map(({ pid }) => residentBytes(pid)));
  for (const each of most) expect(each.most / 1e6).toBeLessThan(MOST_MEMORY_MB);
});
