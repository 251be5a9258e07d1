import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { call } from "../support/call.ts";
import { isRunning } from "../support/docker.ts";
import { stubOf } from "../support/sandbox.ts";
import { type StubServer, startStubServer } from "../support/stub-server.ts";
import { stubStart } from "../support/stub-start.ts";
import { until } from "../support/until.ts";
import type { WireRuntime } from "../support/wire-runtime.ts";
import { watchList } from "./list-watch.ts";

/** What known runtimes may add to the time of an empty server's return, also where it shares two cores with them. */
const KNOWN_AGAIN_MS = 2_000;
const SDK = {
  command: "/usr/local/bin/openhands-agent-server --port 60000",
  image_pull_policy: "IfNotPresent",
};

/** What a client has read once and never reads again. */
const held = ({
  runtime_id,
  session_id,
  url,
  session_api_key,
  work_hosts,
  created_at,
  image,
}: WireRuntime) => ({
  runtime_id,
  session_id,
  url,
  session_api_key,
  work_hosts,
  created_at,
  image,
});

async function startReady(
  server: StubServer,
  count: number,
  fields: Record<string, unknown> = {},
): Promise<WireRuntime[]> {
  return Promise.all(
    Array.from({ length: count }, () => server.api.startReady(stubStart(server.image, fields))),
  );
}

/** Starts the server, which has ended; the time until all of them are ready by /sessions and answer at their URLs. */
async function returnMs(server: StubServer, runtimes: WireRuntime[]): Promise<number> {
  const began = performance.now();
  await server.restart();
  const answers = async (runtime: WireRuntime): Promise<boolean> => {
    const { status, pod_status: word } = await server.api.session(runtime.session_id);
    return (
      status === "running" &&
      word === "Ready" &&
      (await call(`${runtime.url}/alive`)).status === 200
    );
  };
  const all = async () => (await Promise.all(runtimes.map(answers))).every(Boolean);
  await until(all, Boolean, { what: `${runtimes.length} that answer`, everyMs: 25 });
  return performance.now() - began;
}

/** Without anything to know, so before anything is started. */
async function emptyReturnMs(server: StubServer): Promise<number> {
  await server.kill();
  return returnMs(server, []);
}

/**
 * Ends the server as `end` says, and compares its return with that of an empty one. As the machine may be busy with
 * something else at the time of one of them, both are measured again, at most twice.
 */
async function expectKnownAgain(
  server: StubServer,
  { live, emptyMs, end }: { live: WireRuntime[]; emptyMs: number; end: () => Promise<void> },
): Promise<void> {
  await end();
  let addedMs = (await returnMs(server, live)) - emptyMs;
  for (let again = 0; again < 2 && addedMs >= KNOWN_AGAIN_MS; again += 1) {
    await using empty = await startStubServer();
    const otherMs = await emptyReturnMs(empty);
    await end();
    addedMs = (await returnMs(server, live)) - otherMs;
  }
  expect(addedMs).toBeLessThan(KNOWN_AGAIN_MS);
}

const idOf = ({ runtime_id: id }: WireRuntime): string => id;

async function pause(server: StubServer, { runtime_id: id }: WireRuntime): Promise<void> {
  await server.api.pause(id);
  await until(
    () => isRunning(id),
    (running) => !running,
    { what: "the paused one's end" },
  );
}

/** Runtimes in every state that there is, and the server dead in the middle of them. */
async function populateAndKill(server: StubServer) {
  const { api, image } = server;
  const live = (await Promise.all([startReady(server, 12), startReady(server, 4, SDK)])).flat();
  const [paused, pausedToo, stopped] = await Promise.all(
    [1, 2, 3].map(() => api.startReady(stubStart(image))),
  );
  if (!paused || !pausedToo || !stopped) throw new Error("three were started");
  await stubOf(paused).sh("echo kept > /workspace/file");
  await Promise.all([pause(server, paused), pause(server, pausedToo)]);
  // More than start at a time, so that some boot and some have no container yet; and one whose image is being tried.
  const slow = stubStart(image, { environment: { STUB_BOOT_DELAY_MS: "1500" } });
  const queued = await Promise.all(
    [1, 2, 3, 4, 5, 6].map((n) => api.start({ ...slow, session_id: `queued-${n}` })),
  );
  const pulling = await api.start(stubStart("127.0.0.1:1/nope:1"));
  // Its container may be there still when the server dies.
  await api.stop(stopped.runtime_id);
  await server.kill("SIGKILL");
  return { live, paused, pausedToo, stopped, queued, pulling };
}

test("after kill -9 sixteen live sandboxes, two paused ones and what was queued are there as before", async () => {
  await using server = await startStubServer({ env: { MAX_STARTING: "4" } });
  const { api, image } = server;
  const emptyMs = await emptyReturnMs(server);
  const { live, paused, pausedToo, stopped, queued, pulling } = await populateAndKill(server);
  const direct = live.filter(({ url }) => !url.startsWith(server.url));
  expect(direct).toHaveLength(4);
  for (const { url } of direct) expect((await call(`${url}/alive`)).status).toBe(200);

  const list = watchList(api);
  await expectKnownAgain(server, { live, emptyMs, end: () => server.kill() });
  const { statuses, ids } = await list.stop();
  // From its first answer on: never an error, never a list without one of them.
  expect([...statuses]).toEqual([200]);
  for (const seen of ids) expect(seen).toEqual(expect.arrayContaining(live.map(idOf)));

  const again = await Promise.all(live.map(({ session_id: id }) => api.session(id)));
  expect(again.map(held)).toEqual(live.map(held));
  const [first, second] = await Promise.all(
    live.map(({ session_id: id }) => api.start(stubStart(image, { session_id: id }))),
  );
  expect([first, second].map((one) => one && held(one))).toEqual(live.slice(0, 2).map(held));
  for (const one of [paused, pausedToo]) {
    expect(await api.runtime(one.runtime_id)).toMatchObject({
      ...held(one),
      status: "paused",
      pod_status: "Not Found",
    });
  }
  expect(await api.runtime(stopped.runtime_id)).toMatchObject({
    status: "stopped",
    verdict: "stopped",
  });
  expect((await api.runtime(pulling.runtime_id)).status).toBe("starting");
  expect((await Promise.all(queued.map(api.untilReady))).map(held)).toEqual(queued.map(held));
  await api.resume(paused.runtime_id);
  expect(await stubOf(await api.untilReady(paused)).sh("cat /workspace/file")).toBe("kept");

  const all = [...live, paused, pausedToo, ...queued];
  const expected = all.map(idOf).toSorted().join();
  await until(
    () => server.containers(),
    (names) => names.toSorted().join() === expected,
    { what: "one container for each" },
  );
  await Promise.all([...all, pulling].map(({ runtime_id: id }) => api.stop(id)));
  await until(
    () => server.containers(),
    (names) => names.length === 0,
    { what: "nothing left behind" },
  );
});

test("killed again and again in the middle of eight starts it brings up each of them once", async () => {
  await using server = await startStubServer();
  const { api, image } = server;
  const bodies = Array.from({ length: 8 }, () => stubStart(image));
  const retried = async (body: (typeof bodies)[number]): Promise<WireRuntime> =>
    until(
      () => api.start(body).catch(() => undefined),
      (runtime) => runtime !== undefined,
      { everyMs: 20 },
    ).then((runtime) => runtime ?? expect.fail("no answer"));
  const first = await Promise.all(bodies.map(retried));
  for (const containers of [1, 4, 7]) {
    // Each time at another point: few, half and most of the containers are there.
    await until(
      () => server.containers(),
      (names) => names.length >= containers,
      { everyMs: 10 },
    );
    await server.kill("SIGKILL");
    await server.restart();
  }
  const again = await Promise.all(bodies.map(retried));
  expect(again.map(held)).toEqual(first.map(held));
  await Promise.all(again.map(api.untilReady));
  expect((await server.containers()).toSorted()).toEqual(
    first.map(({ runtime_id: id }) => id).toSorted(),
  );
});

test("with its registry's file gone as well it rebuilds all that has a container from the labels", async () => {
  await using server = await startStubServer();
  const { api, image } = server;
  const emptyMs = await emptyReturnMs(server);
  const live = (await Promise.all([startReady(server, 3), startReady(server, 1, SDK)])).flat();
  const [paused] = await startReady(server, 1);
  if (!paused) throw new Error("one was started");
  await pause(server, paused);
  const loseRegistry = async (): Promise<void> => {
    await server.kill("SIGKILL");
    const files = (await readdir(server.dataDir)).filter((name) => name.startsWith("registry"));
    expect(files.length).toBeGreaterThan(0);
    await Promise.all(files.map((name) => rm(join(server.dataDir, name))));
  };

  await expectKnownAgain(server, { live, emptyMs, end: loseRegistry });
  const again = await Promise.all(live.map(({ session_id: id }) => api.session(id)));
  expect(again.map(held)).toEqual(live.map(held));
  const adopted = await api.start(stubStart(image, { session_id: live[0]?.session_id ?? "" }));
  expect(adopted.runtime_id).toBe(live[0]?.runtime_id);
  expect(await api.session(paused.session_id)).toMatchObject({ ...held(paused), status: "paused" });
  await api.resume(paused.runtime_id);
  await api.untilReady(paused);
});

test("ended by SIGTERM it leaves its sandboxes running, and has them on its return", async () => {
  await using server = await startStubServer();
  const emptyMs = await emptyReturnMs(server);
  const live = await startReady(server, 2);
  const end = async (): Promise<void> => {
    const began = performance.now();
    await server.kill("SIGTERM");
    expect(performance.now() - began).toBeLessThan(10_000);
  };
  await expectKnownAgain(server, { live, emptyMs, end });
});
