import { afterAll, beforeAll, expect, test } from "vitest";
import { call } from "../support/call.ts";
import { docker, isRunning } from "../support/docker.ts";
import { createEngineLink, type EngineLink } from "../support/engine-link.ts";
import { stubOf } from "../support/sandbox.ts";
import { type StubServer, startStubServer } from "../support/stub-server.ts";
import { stubStart } from "../support/stub-start.ts";
import { until } from "../support/until.ts";

let link: EngineLink;
let server: StubServer;
const resources = new AsyncDisposableStack();
// Also where the set-up fails half-way.
afterAll(() => resources.disposeAsync());
beforeAll(async () => {
  link = resources.use(await createEngineLink());
  server = resources.use(await startStubServer({ env: { DOCKER_HOST: link.url } }));
});

/** Reads come from memory; a call of the engine would take until its deadline. */
const READ_MS = 3_000;

test("while the engine is away starts wait and say why, reads and sandboxes go on; on its return everything is made true", async () => {
  const { api, image } = server;
  const [working, stopped, paused, dying] = await Promise.all(
    [1, 2, 3, 4].map(() => api.startReady(stubStart(image))),
  );
  if (!working || !stopped || !paused || !dying) throw new Error("four were started");

  await link.cut();
  const waiting = await api.start(stubStart(image));
  expect(waiting).toMatchObject({ status: "starting", pod_status: "Pending" });
  const explained = await until(
    () => api.runtime(waiting.runtime_id),
    ({ status_detail: detail }) => /engine does not answer/.test(detail ?? ""),
    {
      what: "a detail that names the engine",
      deadlineMs: 15_000,
    },
  );
  expect(explained).toMatchObject({ status: "starting", pod_status: "Pending", verdict: null });

  // Commands take effect for readers at once; the containers follow later.
  await api.stop(stopped.runtime_id);
  expect(await api.pause(paused.runtime_id)).toMatchObject({ status: "paused" });
  await docker("kill", dying.runtime_id);
  for (const path of [
    "/list",
    `/sessions/${working.session_id}`,
    `/runtime/${stopped.runtime_id}`,
    `/sessions/batch?ids=${paused.session_id}`,
  ]) {
    const began = performance.now();
    expect((await api.get(path)).status).toBe(200);
    expect(performance.now() - began).toBeLessThan(READ_MS);
  }
  expect((await api.get(`/sessions/${stopped.session_id}`)).status).toBe(404);
  expect((await call(`${working.url}/alive`)).status).toBe(200);
  expect(await stubOf(working).sh("echo works")).toBe("works");
  expect(await isRunning(stopped.runtime_id)).toBe(true);

  await link.restore();
  expect(await api.untilReady(waiting)).toMatchObject({
    runtime_id: waiting.runtime_id,
    verdict: null,
  });
  expect((await call(`${waiting.url}/alive`)).status).toBe(200);
  await until(
    () => server.containers(),
    (names) => !names.includes(stopped.runtime_id),
    { what: "the stopped one's removal" },
  );
  await until(
    () => isRunning(paused.runtime_id),
    (running) => !running,
    { what: "the paused one's end" },
  );
  // Its end was not seen, only its being gone.
  const dead = await api.untilStatus(dying, "error");
  expect(dead.verdict).toMatch(/^(engine_lost|exited)$/);
  expect(await api.runtime(working.runtime_id)).toMatchObject({
    status: "running",
    pod_status: "Ready",
  });
  expect(await stubOf(working).sh("echo still works")).toBe("still works");
  await api.resume(paused.runtime_id);
  await api.untilReady(paused);
});

test("a cut of a moment in the middle of eight starts costs none of them", async () => {
  const { api, image } = server;
  const started = await Promise.all(Array.from({ length: 8 }, () => api.start(stubStart(image))));
  for (const pause of [1, 2, 3]) {
    await until(
      () => server.containers(),
      (names) => started.filter(({ runtime_id: id }) => names.includes(id)).length >= pause * 2,
      { everyMs: 10 },
    );
    await link.cut();
    await link.restore();
  }
  const ready = await Promise.all(started.map(api.untilReady));
  expect(ready.map(({ status }) => status)).toEqual(started.map(() => "running"));
  await Promise.all(ready.map(({ runtime_id: id }) => api.stop(id)));
  await until(
    () => server.containers(),
    (names) => started.every(({ runtime_id: id }) => !names.includes(id)),
    { what: "nothing left behind" },
  );
});
