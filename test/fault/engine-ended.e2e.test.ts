import { afterAll, beforeAll, expect, test } from "vitest";
import { watchReads } from "../cluster/read-watch.ts";
import { AGENT_COMMAND, BASE_IMAGE } from "../registry/own-engines.ts";
import { call } from "../support/call.ts";
import { type OwnEngine, startOwnEngine } from "../support/own-engine.ts";
import { startStubServer } from "../support/stub-server.ts";
import { stubStart } from "../support/stub-start.ts";
import { until } from "../support/until.ts";

let engine: OwnEngine;
const resources = new AsyncDisposableStack();
// Also where the set-up fails half-way.
afterAll(() => resources.disposeAsync());
beforeAll(async () => {
  engine = resources.use(await startOwnEngine());
  await engine.load(BASE_IMAGE);
});

const agent = () => stubStart(BASE_IMAGE, { command: AGENT_COMMAND });
const neverReady = () => stubStart(BASE_IMAGE, { command: ["sleep", "infinity"] });

test.each(["SIGTERM", "SIGKILL"] as const)(
  "when %s ends the engine its runtimes are lost, a paused one and what waits are not, and reads go on throughout",
  async (signal) => {
    await using server = await startStubServer({
      env: { DOCKER_HOST: engine.url, MAX_STARTING: "1" },
    });
    const { api } = server;
    const working = await api.startReady(agent());
    const paused = await api.startReady(agent());
    await engine.docker("exec", paused.runtime_id, "sh", "-c", "echo kept > /file");
    await api.pause(paused.runtime_id);
    const isRunning = ["inspect", "--format", "{{.State.Running}}", paused.runtime_id];
    await until(
      () => engine.docker(...isRunning),
      (running) => running === "false",
    );
    const booting = await api.start(neverReady());
    await until(
      () => engine.docker("ps", "--format", "{{.Names}}"),
      (names) => names.includes(booting.runtime_id),
    );
    const queued = await api.start(agent());
    await until(
      () => api.runtime(queued.runtime_id),
      ({ status_detail: detail }) => detail?.startsWith("queued at position 1") === true,
    );

    const all = [working, paused, booting, queued];
    const reads = watchReads(api, all);
    await engine.end(signal);
    const late = await api.start(agent());
    expect(late.status).toBe("starting");
    await engine.restart();

    for (const one of [working, booting]) {
      const lost = await api.untilStatus(one, "error");
      expect({ verdict: lost.verdict, detail: lost.status_detail }).toMatchObject({
        verdict: "engine_lost",
        detail: expect.stringContaining("engine"),
      });
    }
    for (const one of [queued, late]) {
      const { url } = await api.untilReady(one);
      expect((await call(`${url}/alive`)).status).toBe(200);
    }
    expect((await api.runtime(paused.runtime_id)).status).toBe("paused");
    await api.resume(paused.runtime_id);
    await api.untilReady(paused);
    expect(await engine.docker("exec", paused.runtime_id, "cat", "/file")).toBe("kept");
    const { refusals, unanswered, statuses } = await reads.stop();
    expect({ refusals, unanswered, statuses: [...statuses.keys()] }).toEqual({
      refusals: [],
      unanswered: 0,
      statuses: [200],
    });

    await Promise.all([...all, late].map(({ runtime_id: id }) => api.stop(id)));
    await until(
      () => engine.docker("ps", "--all", "--quiet"),
      (ids) => ids === "",
      { what: "nothing left behind" },
    );
  },
);
