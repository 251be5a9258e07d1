import { statfs } from "node:fs/promises";
import { expect, test } from "vitest";
import { startOwnEngine } from "./own-engine.ts";

test("startOwnEngine() gives an engine with images of its own on a disk of the wanted size", async () => {
  await using engine = await startOwnEngine({ diskMib: 600 });
  expect(await engine.docker("images", "--quiet")).toBe("");
  await engine.load("debian:trixie-slim");
  expect(await engine.docker("run", "--rm", "debian:trixie-slim", "echo", "hello")).toBe("hello");
  const { blocks, bsize } = await statfs(engine.dataRoot);
  expect((blocks * bsize) / 2 ** 20).toBeLessThan(600);
}, 120_000);
