import { mkdtempDisposable, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createBuildLog } from "./build-log.ts";

test("write() keeps the last lines when there can be no file", async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), "build-log-"));
  const file = join(folder.path, "file");
  await writeFile(file, "");
  const log = createBuildLog({ path: join(file, "below", "a.log"), maxBytes: 1000 });
  // A rejection that nobody handles would fail the run here.
  expect(await log.read()).toEqual({ text: "", isCut: true });
  log.write("one\n");
  expect([log.tail(), await log.read()]).toEqual(["one", { text: "", isCut: true }]);
});
