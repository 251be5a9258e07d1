import { ServiceError } from "@remote-runtime/protocol";
import { RefusalError } from "@remote-runtime/registry";
import { expect, test } from "vitest";
import { createManualClock } from "./manual-clock.ts";
import { patiently } from "./patiently.ts";

const away = new ServiceError("unavailable", "away");

test("counts its time from the first failure on, however long that took to come", async () => {
  const clock = createManualClock();
  let tries = 0;
  const done = patiently(
    async () => {
      tries += 1;
      if (tries === 1) await clock.sleep(60_000, new AbortController().signal);
      if (tries < 10) throw away;
      return "done";
    },
    { patienceMs: 5_000, clock },
  );
  await clock.advance(62_000);
  expect(await done).toBe("done");
});

test("fails with what its last try failed with, and at once with anything but silence", async () => {
  const clock = createManualClock();
  let tries = 0;
  const failing = (error: ServiceError) => async (): Promise<never> => {
    tries += 1;
    throw error;
  };
  const refused = new ServiceError("conflict", "taken");
  await expect(patiently(failing(refused), { patienceMs: 5_000, clock })).rejects.toBe(refused);
  await expect(patiently(failing(away), { patienceMs: 0, clock })).rejects.toBe(away);
  const full = new ServiceError("unavailable", "OOM", { cause: new RefusalError("OOM") });
  await expect(patiently(failing(full), { patienceMs: 5_000, clock })).rejects.toBe(full);
  expect(tries).toBe(3);
  const silent = expect(patiently(failing(away), { patienceMs: 1_000, clock })).rejects.toBe(away);
  await clock.advance(1_000);
  await silent;
  expect(tries).toBe(14);
});
