import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { readContextFiles } from "./context-files.ts";

test("readContextFiles() finds folders and archives by the line or by the image's last part", async () => {
  const folder = await mkdtemp(join(tmpdir(), "context-files-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  for (const name of ["django__django-1", "node_24-slim"]) await mkdir(join(folder, name));
  for (const name of ["tool.tar.gz", "other.tgz", "notes.txt"]) {
    await writeFile(join(folder, name), "");
  }
  const find = await readContextFiles(folder);
  const path = (name: string): string => join(folder, name);
  expect(find("docker.io/swebench/x:latest", "django__django-1")).toEqual({
    kind: "folder",
    path: path("django__django-1"),
  });
  expect(find("docker.io/library/node:24-slim", "node:24-slim")?.path).toBe(path("node_24-slim"));
  expect(find("ghcr.io/a/tool:latest", "ghcr.io/a/tool")).toEqual({
    kind: "archive",
    path: path("tool.tar.gz"),
  });
  expect(find("ghcr.io/a/other:latest", "ghcr.io/a/other")?.path).toBe(path("other.tgz"));
  expect(find("ghcr.io/a/tool:2", "ghcr.io/a/tool:2")).toBeUndefined();
  expect(find("docker.io/library/notes.txt:latest", "notes.txt")).toBeUndefined();
  await expect(readContextFiles(path("missing"))).rejects.toMatchObject({
    exitCode: 2,
    message: expect.stringContaining("no such file or folder; --build takes") as string,
  });
});
