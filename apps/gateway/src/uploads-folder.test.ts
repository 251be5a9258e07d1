import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { removeStaleUploads, uploadsFolder } from "./uploads-folder.ts";

test("removeStaleUploads() removes the uploads of dead processes of this host, and nothing else", async () => {
  const folder = await mkdtemp(join(tmpdir(), "uploads-folder-"));
  try {
    const dead = uploadsFolder({ host: "node-1", pid: 11 });
    const alive = uploadsFolder({ host: "node-1", pid: 12 });
    const others = [
      uploadsFolder({ host: "node-2", pid: 11 }),
      uploadsFolder({ host: "node-1-b", pid: 11 }),
      "openhands-uploads-node-1-011",
      "openhands-uploads-node-1-",
      "node-1-11",
    ];
    for (const name of [dead, alive, ...others]) await mkdir(join(folder, name));
    await writeFile(join(folder, dead, "upload"), "left behind");
    const isAlive = (pid: number): boolean => pid === 12;
    expect(await removeStaleUploads({ folder, host: "node-1", isAlive })).toEqual([dead]);
    expect((await readdir(folder)).toSorted()).toEqual([alive, ...others].toSorted());
  } finally {
    await rm(folder, { recursive: true });
  }
});
