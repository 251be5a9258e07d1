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
  const cut = "\n… more was printed than is kept\n";
  expect(await log.read()).toEqual({ text: `${cut}\n`, isCut: true });
  log.write("one\n");
  expect([log.tail(), await log.read()]).toEqual(["one", { text: `${cut}one\n`, isCut: true }]);
});

test("read() gives the beginning and the end of what is longer than is kept, and nothing twice", async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), "build-log-"));
  const log = createBuildLog({ path: join(folder.path, "a.log"), maxBytes: 20 });
  for (const line of ["the first\n", "second\n", "third\n"]) log.write(line);
  const cut = "\n… more was printed than is kept\n";
  expect(await log.read()).toEqual({ text: `the first\nsecond\n${cut}third\n`, isCut: true });
  for (let line = 0; line < 10_000; line += 1) log.write(`line ${line}\n`);
  log.write("the last\n");
  const { text } = await log.read();
  expect(text).toMatch(/^the first\nsecond\n\n… more was printed than is kept\nline 99\d\d\n/);
  expect(text.split("\n").slice(-3)).toEqual(["line 9999", "the last", ""]);
});

test.each([
  ["[output clipped, log limit 2MiB reached]\n", true],
  ["[output clipped, log limit 200KiB/s reached]\n", true],
  ["a step that prints [output clipped, log limit 2MiB reached]\n", false],
])(
  "read() says that BuildKit has left something out, where it says so: %j",
  async (line, isCut) => {
    await using folder = await mkdtempDisposable(join(tmpdir(), "build-log-"));
    const log = createBuildLog({ path: join(folder.path, "a.log"), maxBytes: 1_000 });
    log.write("one\n");
    log.write(line);
    expect(await log.read()).toEqual({ text: `one\n${line}`, isCut });
  },
);
