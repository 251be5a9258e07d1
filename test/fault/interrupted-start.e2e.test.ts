import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { until } from "../support/until.ts";
import { startProgram, type App } from "./program.ts";

/** Ports on which nothing listens. */
const NOWHERE = "127.0.0.1:1";

test.each<App>(["standalone", "replica"])(
  "Ctrl-C ends a %s that waits for its engine, without a word of a fault",
  async (app) => {
    const folder = await mkdtemp(join(tmpdir(), "openhands-test-"));
    try {
      await using program = startProgram(app, {
        API_KEYS: "alice=a-key-of-no-use",
        DATA_DIR: folder,
        DOCKER_HOST: `tcp://${NOWHERE}`,
        REDIS_URL: `redis://${NOWHERE}`,
        PORT: "0",
      });
      await until(program.log, (log) => /Docker engine at \S+ does not answer/.test(log));
      program.signal("SIGINT");
      expect(await program.ended()).toBe(0);
      expect(program.log()).not.toMatch(/AbortError|Node\.js v/);
    } finally {
      await rm(folder, { recursive: true });
    }
  },
);
