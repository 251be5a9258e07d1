import { randomBytes } from "node:crypto";
import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { postLargeBuild, pruneBuildCache } from "@remote-runtime/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startCluster, type Cluster } from "../cluster/cluster.ts";
import { watchDisk, type DiskWatch } from "../disk/watch-disk.ts";
import { mountSmallDisk } from "../support/mount-small-disk.ts";
import { until } from "../support/until.ts";
import { contextOf, postBuild, removeImages } from "./build-client.ts";

const DISK_MIB = 110;
/** A tenth of what there is. */
const RESERVE_MIB = 10;
const MB = 1e6;
const UPLOAD_BYTES = 25 * MB;
const APPS = ["replica", "gateway"] as const;

const marker = `test-upload-disk-${randomBytes(4).toString("hex")}`;
const repository = `localhost/${marker}/image`;
const began = new Date(Date.now() - 1000);
const resources = new AsyncDisposableStack();
let cluster: Cluster;
let temporary: string;
let watches: Record<(typeof APPS)[number], DiskWatch>;

/** The temporary files of each server are on a small disk of its own. */
beforeAll(async () => {
  resources.defer(() => pruneBuildCache(marker, began));
  resources.defer(() => removeImages(`localhost/${marker}`));
  temporary = await mkdtemp(join(tmpdir(), "test-upload-disk-"));
  resources.defer(() => rm(temporary, { recursive: true, force: true }));
  const watchOf = async (app: (typeof APPS)[number]): Promise<DiskWatch> => {
    await mkdir(join(temporary, app));
    const wanted = { file: join(temporary, `${app}.disk`), mib: DISK_MIB };
    resources.use(await mountSmallDisk(join(temporary, app), wanted));
    return resources.use(watchDisk(join(temporary, app)));
  };
  watches = { replica: await watchOf("replica"), gateway: await watchOf("gateway") };
  const env = (app: string) => ({ TMPDIR: join(temporary, app) });
  cluster = resources.use(await startCluster({ replicas: 1, env }));
});

afterAll(() => resources.disposeAsync());

const serverOf = (app: (typeof APPS)[number]) =>
  app === "replica" ? cluster.replicas[0] : cluster.gateway;

/** What is on the server's disk, without the folder that each file system has. */
async function filesOf(app: (typeof APPS)[number]): Promise<string[]> {
  const folders = await readdir(join(temporary, app));
  const uploads = folders.filter((name) => name !== "lost+found");
  const within = uploads.map((name) => readdir(join(temporary, app, name), { recursive: true }));
  return (await Promise.all(within)).flat();
}

/** Begins an upload that goes no further; answers how it is given up. */
function beginUpload(url: string): () => Promise<void> {
  const headers = {
    "X-API-Key": cluster.key,
    "Content-Type": "multipart/form-data; boundary=X",
    "Content-Length": String(MB),
  };
  const outgoing = request(`${url}/build`, { method: "POST", headers });
  const { promise: closed, resolve } = Promise.withResolvers<void>();
  outgoing.once("close", resolve);
  // The server is killed.
  outgoing.on("error", () => undefined);
  const head = 'Content-Disposition: form-data; name="context"; filename="context.tar.gz"';
  outgoing.write(`--X\r\n${head}\r\n\r\n${"abcd".repeat(50_000)}`);
  return async () => {
    outgoing.destroy();
    await closed;
  };
}

describe.each(APPS)("a %s on a small disk", (app) => {
  test("takes the uploads that it has room for, has the others sent again, and leaves room", async () => {
    const where = { url: serverOf(app)?.url ?? "", key: cluster.key };
    const text = randomBytes(UPLOAD_BYTES / 2).toString("hex");
    const context = await contextOf({
      Dockerfile: `FROM scratch\nCOPY Dockerfile /${marker}\n`,
      large: text,
    });
    const target = (name: string): string => `${repository}-${app}:${name}`;
    const known = [1, 2, 3, 4, 5].map((at) =>
      postBuild(where, { context, target: target(`${at}`) }),
    );
    const unknown = [6, 7, 8].map((at) =>
      postLargeBuild(where, { target: target(`${at}`), bytes: UPLOAD_BYTES }),
    );
    const tooLarge = postLargeBuild(where, { target: target("large"), bytes: 1.2 * DISK_MIB * MB });
    const taken = (await Promise.all([...known, ...unknown])).map(({ status }) => status);
    expect(taken).toContain(202);
    expect(taken.filter((status) => status !== 202 && status !== 429)).toEqual([]);
    const refused = await tooLarge;
    expect(refused).toMatchObject({ status: 429, body: expect.stringMatching(/MiB are free/) });
    expect(watches[app].leastFreeMib()).toBeGreaterThan(RESERVE_MIB / 2);
  });

  test("removes at its start what another life has left", async () => {
    const server = serverOf(app);
    if (!server) throw new Error(`no ${app}`);
    const giveUp = beginUpload(server.url);
    await until(
      () => filesOf(app),
      (names) => names.some((name) => name.endsWith("/file")),
    );
    await server.kill();
    await giveUp();
    expect(await filesOf(app)).not.toEqual([]);
    await server.restart();
    await until(
      () => filesOf(app),
      (names) => names.length === 0,
    );
  });
});
