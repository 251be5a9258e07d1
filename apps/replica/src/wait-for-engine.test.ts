import { expect, test, vi } from "vitest";
import { waitForEngine } from "./wait-for-engine.ts";

test("waitForEngine() says once that it waits, and goes on when the engine answers", async () => {
  const answers = [false, false, false, true];
  const log = { warn: vi.fn(), info: vi.fn() };
  const { signal } = new AbortController();
  await waitForEngine(async () => answers.shift() ?? true, {
    address: "engine:2375",
    log,
    signal,
    retryMs: 1,
  });
  expect(answers).toEqual([]);
  expect(log.warn).toHaveBeenCalledExactlyOnceWith(expect.stringContaining("engine:2375"));
  expect(log.info).toHaveBeenCalledTimes(1);
});

test("waitForEngine() ends with the signal's own reason", async () => {
  const log = { warn: vi.fn(), info: vi.fn() };
  const controller = new AbortController();
  const waiting = waitForEngine(async () => false, {
    address: "engine:2375",
    log,
    signal: controller.signal,
    retryMs: 60_000,
  });
  const reason = new Error("shut down by SIGINT");
  controller.abort(reason);
  await expect(waiting).rejects.toBe(reason);
});
