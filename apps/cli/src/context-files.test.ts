import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { create } from "tar";
import { expect, onTestFinished, test } from "vitest";
import { openContexts, type Contexts } from "./context-files.ts";

const { signal } = new AbortController();

/** A folder with these files. */
async function folderWith(files: Record<string, string>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "context-files-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), content);
  }
  return folder;
}

async function open(path: string): Promise<Contexts> {
  const contexts = await openContexts(path, signal);
  onTestFinished(() => contexts[Symbol.asyncDispose]());
  return contexts;
}

test("openContexts() finds folders and archives by the line or by the image's last part", async () => {
  const folder = await folderWith({
    "django__django-1/Dockerfile": "",
    "node_24-slim/Dockerfile": "",
    "tool.tar.gz": "",
    "other.tgz": "",
    "notes.txt": "",
  });
  const { find, whole } = await open(folder);
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
  expect(whole).toBeUndefined();
});

test.each([
  ["contexts.tar", false, ["."]],
  ["contexts.tgz", true, ["contexts"]],
  ["contexts.any", true, ["contexts/a", "contexts/b.tgz"]],
])("openContexts() reads an archive: %s", async (name, gzip, entries) => {
  const folder = await folderWith({ "contexts/a/Dockerfile": "FROM a", "contexts/b.tgz": "b" });
  const file = join(folder, name);
  const cwd = entries[0] === "." ? join(folder, "contexts") : folder;
  await create({ file, gzip, cwd }, entries);
  const contexts = await openContexts(file, signal);
  const [one, two] = ["a", "b"].map((each) => contexts.find(`r.test/${each}:1`, each));
  expect([one?.kind, two?.kind, contexts.whole]).toEqual(["folder", "archive", undefined]);
  expect(await readFile(join(one?.path ?? "", "Dockerfile"), "utf8")).toBe("FROM a");
  await contexts[Symbol.asyncDispose]();
  expect(existsSync(one?.path ?? "")).toBe(false);
});

test("openContexts() knows what is a context by itself, as a folder or an archive", async () => {
  const folder = await folderWith({ "one/Dockerfile": "FROM a", "one/code/a.py": "" });
  const file = join(folder, "one.tar.gz");
  await create({ file, gzip: true, cwd: folder }, ["one"]);
  for (const path of [join(folder, "one"), file]) {
    const { whole } = await open(path);
    expect(await readFile(join(whole?.path ?? "", "Dockerfile"), "utf8")).toBe("FROM a");
  }
});

test("openContexts() says of what it cannot read what that is, and leaves nothing", async () => {
  const folder = await folderWith({ text: "no archive".repeat(100), a: "x".repeat(5_000) });
  const cut = join(folder, "cut.tar");
  await create({ file: cut, cwd: folder }, ["a"]);
  await writeFile(cut, (await readFile(cut)).subarray(0, 2_000));
  const problems = [
    ["missing", /there is no such file or folder; --build takes a folder/],
    ["text", /it is no tar archive; --build takes/],
    ["cut.tar", /the archive is cut short or damaged.*; --build takes/],
  ] as const;
  for (const [name, message] of problems) {
    await expect(openContexts(join(folder, name), signal)).rejects.toMatchObject({
      exitCode: 2,
      message: expect.stringMatching(message) as string,
    });
  }
});
