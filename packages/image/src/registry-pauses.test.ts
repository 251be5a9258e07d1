import { expect, test } from "vitest";
import { RegistryBusyError } from "./registry-away-error.ts";
import { createRegistryPauses } from "./registry-pauses.ts";

function scene() {
  let now = 0;
  const asked: string[] = [];
  const pauses = createRegistryPauses({ now: () => now });
  const busy = new RegistryBusyError("toomanyrequests: slow down");
  /** Asks, and gives what the question gave or how long the registry is to be left alone. */
  async function ask(reference: string, answer: "ok" | "busy"): Promise<string> {
    try {
      return await pauses.ask(reference, async () => {
        asked.push(reference);
        if (answer === "busy") throw busy;
        return "ok";
      });
    } catch (error) {
      if (!(error instanceof RegistryBusyError)) throw error;
      return `for ${error.pauseMs} ms: ${error.message}`;
    }
  }
  return { ask, asked, pauses, busy, pass: (ms: number) => void (now += ms) };
}

test("a registry that wants to be asked less is left alone for all its images, and no other is", async () => {
  const { ask, asked, pass } = scene();
  expect(await ask("python:3", "busy")).toBe("for 5000 ms: toomanyrequests: slow down");
  pass(1_000);
  expect(await ask("library/node:24", "ok")).toBe(
    "for 4000 ms: docker.io is left alone, as it has said: toomanyrequests: slow down",
  );
  expect(await ask("r.test/python:3", "ok")).toBe("ok");
  pass(4_000);
  expect(await ask("node:24", "ok")).toBe("ok");
  expect(asked).toEqual(["python:3", "r.test/python:3", "node:24"]);
});

test("each pause is twice as long as the one before, to two minutes, until it was well for ten", async () => {
  const { ask, pass } = scene();
  for (const ms of [5_000, 10_000, 20_000, 40_000, 80_000, 120_000, 120_000]) {
    expect(await ask("a", "busy")).toMatch(`for ${ms} ms: toomany`);
    pass(ms);
  }
  expect(await ask("a", "ok")).toBe("ok");
  pass(600_001);
  expect(await ask("a", "busy")).toMatch("for 5000 ms: toomany");
});

test("a registry that says for how long is left alone so long at least, and not for less than a second", async () => {
  const { pauses, pass } = scene();
  for (const [wantedMs, pauseMs] of [
    [0.333, 1_000],
    [0.333, 2_000],
    [30_000, 30_000],
    [30_000, 60_000],
    [3_600_000, 120_000],
  ] as const) {
    const busy = new RegistryBusyError("slow down", { wantedMs });
    await expect(pauses.ask("a", () => Promise.reject(busy))).rejects.toMatchObject({ pauseMs });
    pass(pauseMs);
  }
});

test("several that were under way count as one", async () => {
  const { pauses, busy, ask, pass } = scene();
  const release = Promise.withResolvers<never>();
  const asked = ["a", "b", "c"].map((name) => pauses.ask(name, () => release.promise));
  pass(100);
  release.reject(busy);
  const outcomes = await Promise.allSettled(asked);
  for (const outcome of outcomes) {
    expect(outcome).toMatchObject({ status: "rejected", reason: { pauseMs: 5_000 } });
  }
  expect(await ask("d", "ok")).toMatch("for 5000 ms: docker.io is left alone");
});

test("what else goes wrong says nothing of the others", async () => {
  const { pauses, ask } = scene();
  const broken = new Error("broken");
  await expect(pauses.ask("a", () => Promise.reject(broken))).rejects.toBe(broken);
  expect(await ask("a", "ok")).toBe("ok");
});
