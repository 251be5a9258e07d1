import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseApiKeys } from "@remote-runtime/server";
import { expect, test } from "vitest";
import { keptApiKeys, keptReplicaId, makeDataDir } from "./data-dir.ts";
import { greeting } from "./greeting.ts";

test("keptApiKeys() makes a key once, readable for its owner only, and finds it again", async () => {
  const folder = await mkdtemp(join(tmpdir(), "standalone-"));
  try {
    makeDataDir(join(folder, "data"));
    const first = await keptApiKeys(join(folder, "data"));
    const key = first[0]?.key ?? "";
    expect(key).toMatch(/^[\w-]{32}$/);
    expect(await keptApiKeys(join(folder, "data"))).toEqual(first);
    // The owner that the same key has when it is given.
    expect(parseApiKeys(key)).toEqual({ kind: "entries", entries: first });
    const path = join(folder, "data", "api-key");
    expect(await readFile(path, "utf8")).toBe(`${key}\n`);
    const replicaId = await keptReplicaId(join(folder, "data"));
    expect(replicaId).toMatch(/^local-[0-9a-f]{8}$/);
    expect(await keptReplicaId(join(folder, "data"))).toBe(replicaId);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    await writeFile(path, "ü x\n");
    const refused = keptApiKeys(join(folder, "data"));
    await expect(refused).rejects.toThrow(/api-key: entry 1 has a key with blanks/);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("makeDataDir() makes folders for their owner only, and says at once where none can be made", async () => {
  const folder = await mkdtemp(join(tmpdir(), "standalone-"));
  try {
    const deep = join(folder, "a", "b");
    for (let twice = 0; twice < 2; twice += 1) makeDataDir(deep);
    expect((await stat(deep)).mode & 0o777).toBe(0o700);
  } finally {
    await rm(folder, { recursive: true });
  }
  for (const path of ["/proc/data", "/proc/data/deeper", "/dev/null/data"])
    expect(() => makeDataDir(path)).toThrow(new RegExp(`DATA_DIR=${path} cannot be written to`));
});

test("greeting() prints the key that was made, and never one that was given", () => {
  const url = "http://127.0.0.1:8100";
  expect(greeting({ url, key: "made-here", ownKey: true })).toContain("ALLHANDS_API_KEY=made-here");
  const given = greeting({ url, key: "given", ownKey: false });
  expect(given).not.toContain("=given");
  expect(given).toContain(`SANDBOX_REMOTE_RUNTIME_API_URL=${url}`);
});
