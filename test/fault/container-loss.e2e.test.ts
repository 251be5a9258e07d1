import { beforeAll, describe, expect, test } from "vitest";
import { call } from "../support/call.ts";
import { docker, isRunning } from "../support/docker.ts";
import { stubOf } from "../support/sandbox.ts";
import { type StubServer, startStubServer } from "../support/stub-server.ts";
import { stubStart } from "../support/stub-start.ts";
import { until } from "../support/until.ts";

let server: StubServer;
beforeAll(async () => {
  server = await startStubServer({ env: { SANDBOX_MEMORY_MIB: "192" } });
  return () => server[Symbol.asyncDispose]();
});

/** Events tell of a loss at once; this is for a machine that is busy. */
const NOTICED_MS = 10_000;

async function expectNothingLeft(id: string): Promise<void> {
  await until(
    () => server.containers(),
    (names) => !names.includes(id),
    { what: `no container ${id}` },
  );
}

describe.concurrent("a container that is lost behind the server's back", () => {
  test("removed: an error with its verdict, and a new one for the session", async () => {
    const { api, image } = server;
    const body = stubStart(image);
    const lost = await api.startReady(body);
    await docker("rm", "--force", lost.runtime_id);
    const seen = await api.untilStatus(lost, "error", NOTICED_MS);
    expect(seen).toMatchObject({
      pod_status: "Failed",
      // Also where its end, which the engine tells first, is what was seen.
      verdict: "engine_lost",
      status_detail: expect.stringContaining("something else removed its container"),
    });
    expect((await api.list()).map(({ runtime_id: id }) => id)).not.toContain(lost.runtime_id);
    const answer = await call(`${lost.url}/alive`);
    // 404 once the container was seen to be gone; 503 while only its end was, as its files could be resumed.
    expect([404, 503]).toContain(answer.status);
    expect(answer.json()).toEqual({ detail: expect.any(String), error: expect.any(String) });
    // Until its removal was seen too it may be resumed, which finds that, rather than go on with an empty file system.
    const refused = await until(
      () => api.post("/resume", { runtime_id: lost.runtime_id }),
      ({ status }) => status === 409,
      { what: "a resume that is refused" },
    );
    expect(refused.text).toMatch(/files .* are gone/);
    const next = await api.startReady(body);
    expect(next.runtime_id).not.toBe(lost.runtime_id);
    expect(next.events.map(({ reason }) => reason)).toContain("Replaces");
    await api.stop(next.runtime_id);
    await expectNothingLeft(next.runtime_id);
  });

  test("killed: an error with its exit code, and its files for a resume", async () => {
    const { api, image } = server;
    const killed = await api.startReady(stubStart(image));
    await stubOf(killed).sh("echo kept > /workspace/file");
    await docker("kill", killed.runtime_id);
    const seen = await api.untilStatus(killed, "error", NOTICED_MS);
    expect(seen).toMatchObject({
      verdict: "exited",
      status_detail: expect.stringContaining("137"),
      pod_logs: expect.stringContaining("stub agent"),
    });
    await api.resume(killed.runtime_id);
    const resumed = await api.untilReady(killed);
    expect(resumed).toMatchObject({
      url: killed.url,
      session_api_key: killed.session_api_key,
      verdict: null,
    });
    expect(await stubOf(killed).sh("cat /workspace/file")).toBe("kept");
    await api.stop(killed.runtime_id);
    await expectNothingLeft(killed.runtime_id);
  });

  test("its agent ends by itself: an error with the code and the last lines", async () => {
    const { api, image } = server;
    const ended = await api.startReady(stubStart(image));
    // The answer is cut off by the end.
    await stubOf(ended)
      .call("/exit?code=5")
      .catch(() => undefined);
    const seen = await api.untilStatus(ended, "error", NOTICED_MS);
    expect(seen).toMatchObject({
      verdict: "exited",
      status_detail: expect.stringContaining("exit code 5"),
      pod_logs: expect.stringContaining("stub agent"),
    });
    await api.stop(ended.runtime_id);
    await expectNothingLeft(ended.runtime_id);
  });

  test("out of memory: told apart, so that a trainer can start it larger", async () => {
    const { api, image } = server;
    const hog = "const a = []; for (;;) a.push(Buffer.alloc(8 * 1024 * 1024, 1))";
    const command = `openhands-agent-server --port 60000 & until [ -e /tmp/go ]; do sleep 0.1; done; exec node -e "${hog}"`;
    const greedy = await api.startReady(stubStart(image, { command: ["sh", "-c", command] }));
    await stubOf(greedy).sh("touch /tmp/go");
    const seen = await api.untilStatus(greedy, "error", 30_000);
    expect(seen).toMatchObject({
      verdict: "oom",
      pod_status: "CrashLoopBackOff",
      status_detail: expect.stringMatching(/OOMKill/),
    });
    await api.stop(greedy.runtime_id);
    await expectNothingLeft(greedy.runtime_id);
  });

  test("removed while it was paused: an error with its verdict, and a new one for the session", async () => {
    const { api, image } = server;
    const body = stubStart(image);
    const paused = await api.startReady(body);
    await api.pause(paused.runtime_id);
    await until(
      () => isRunning(paused.runtime_id),
      (running) => !running,
    );
    await docker("rm", "--force", paused.runtime_id);
    const seen = await api.untilStatus(paused, "error", NOTICED_MS);
    expect(seen).toMatchObject({ verdict: "engine_lost", pod_status: "Failed" });
    const next = await api.startReady(body);
    expect(next.runtime_id).not.toBe(paused.runtime_id);
    await api.stop(next.runtime_id);
    await expectNothingLeft(next.runtime_id);
  });

  test("killed while the server was away: known on its return", async () => {
    await using own = await startStubServer();
    const body = stubStart(own.image);
    const [removed, killed] = await Promise.all([
      own.api.startReady(body),
      own.api.startReady(stubStart(own.image)),
    ]);
    await own.kill();
    await docker("rm", "--force", removed.runtime_id);
    await docker("kill", killed.runtime_id);
    await own.restart();
    expect(await own.api.untilStatus(removed, "error", NOTICED_MS)).toMatchObject({
      verdict: "engine_lost",
    });
    expect(await own.api.untilStatus(killed, "error", NOTICED_MS)).toMatchObject({
      // Nobody saw whether it was the process or the engine that ended.
      verdict: expect.stringMatching(/^(engine_lost|exited)$/),
    });
    expect((await own.api.startReady(body)).runtime_id).not.toBe(removed.runtime_id);
  });
});
