import { rm, statfs, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { apiOf } from "../support/api.ts";
import { startServer } from "../support/server.ts";
import { agentStart, DISK_MIB, startSmallDisk, type SmallDisk } from "./small-disk.ts";
import { watchDisk } from "./watch-disk.ts";

const MIB = 1024 * 1024;
const INJECTED_MIB = 60;
/** Enough for the copy, but not with what has to stay free. */
const LEFT_MIB = 75;

const resources = new AsyncDisposableStack();
let disk: SmallDisk;

beforeAll(async () => {
  disk = resources.use(await startSmallDisk());
});

afterAll(() => resources.disposeAsync());

const volumes = () => disk.engine.docker("volume", "ls", "--quiet", "--filter", "name=inject");

/** Until only so much is left. */
async function fill(file: string, leftMib: number): Promise<void> {
  const { bavail, bsize } = await statfs(disk.engine.dataRoot);
  await writeFile(file, Buffer.alloc(bavail * bsize - leftMib * MIB));
}

test("an injected path that does not fit fails the start as disk_full and leaves nothing, and is copied once when it does", async () => {
  const image = disk.source.reference("injected", INJECTED_MIB);
  const stock = disk.reference("stock");
  for (const name of [image, stock]) await disk.engine.docker("pull", "--quiet", name);
  const filler = join(disk.engine.dataRoot, "filler");
  await fill(filler, LEFT_MIB);
  await using watch = watchDisk(disk.engine.dataRoot);

  await using server = await startServer({ env: { ...disk.env, INJECT: `/bytes=${image}` } });
  const api = apiOf(server);
  const body = () => agentStart(stock, { inject: ["/bytes"] });
  const failed = await api.untilStatus(await api.start(body()), "error");
  expect(failed).toMatchObject({
    verdict: "disk_full",
    status_detail: expect.stringMatching(
      /INJECT \/bytes=.*: copy of \/bytes: the engine's disk is full: 0\.06 GB are needed/,
    ),
  });
  // The server had tried to have it ready beforehand.
  expect(server.log()).toContain("the volumes of injected paths cannot be looked after now");
  expect(await volumes()).toBe("");
  expect(watch.leastFreeMib()).toBeGreaterThan(DISK_MIB / 30);
  await api.stop(failed.runtime_id);
  // Whoever does without it runs.
  await api.stop((await api.startReady(agentStart(stock))).runtime_id);

  await rm(filler);
  const runtimes = await Promise.all([body(), body()].map(api.startReady));
  const mounted = "{{range .Mounts}}{{.Name}}:{{.Destination}}{{end}}";
  for (const { runtime_id: id } of runtimes) {
    expect(await disk.engine.docker("inspect", "--format", mounted, id)).toBe(
      `${await volumes()}:/bytes`,
    );
    await api.stop(id);
  }
});
