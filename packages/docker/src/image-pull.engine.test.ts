import { createHash, randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { createImageStore, createRegistryPauses, RegistryAwayError } from "@remote-runtime/image";
import { afterAll, beforeAll, expect, it } from "vitest";
import { createDocker } from "./create-docker.ts";
import { directoryArchive } from "./directory-archive.ts";
import { createDockerEngine } from "./docker-engine.ts";

const docker = createDocker();
const name = `remote-runtime/test-pull-${randomUUID().slice(0, 8)}`;
const never = new AbortController().signal;
let folder: string;
let server: Server;
let registry: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "image-pull-"));
  server = createRegistry().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  // The engine takes plain HTTP from its own loopback only.
  registry = `127.0.0.1:${typeof address === "object" ? address?.port : ""}`;
});

afterAll(async () => {
  server.closeAllConnections();
  server.close();
  await rm(folder, { recursive: true });
  const left = await docker.listImages({ filters: { reference: [`${registry}/${name}`] } });
  for (const { Id } of left) await docker.getImage(Id).remove({ force: true });
});

it("pull() brings an image with the credential of Docker's config, and tells how far it is", async () => {
  const engine = await engineWith({
    [registry]: { auth: Buffer.from("me:secret").toString("base64") },
  });
  const lines: string[] = [];
  await engine.pull(`${registry}/${name}`, (line) => lines.push(line), never);
  const image = await engine.image(`${registry}/${name}:latest`);
  expect(image).toMatchObject({ entrypoint: ["serve"], command: ["--port", "1"] });
  expect(image?.references).toContain(`${registry}/${name}:latest`);
  expect(lines.length).toBeGreaterThan(0);
});

it("pull() without the right is not_found", async () => {
  const engine = await engineWith({});
  await expect(engine.pull(`${registry}/${name}:1`, () => undefined, never)).rejects.toMatchObject({
    code: "not_found",
  });
});

it("pull() goes on without a credential that it cannot read, and says so when it fails", async () => {
  const engine = await engineWith({}, { credsStore: "remote-runtime-absent" });
  await expect(engine.pull(`${registry}/${name}:1`, () => undefined, never)).rejects.toMatchObject({
    code: "not_found",
    message: expect.stringContaining("because docker-credential-remote-runtime-absent failed"),
  });
});

it("pull() of what the registry does not have is not_found and names it", async () => {
  const engine = await engineWith({
    [registry]: { auth: Buffer.from("me:secret").toString("base64") },
  });
  const reference = `${registry}/${name}:absent`;
  await expect(engine.pull(reference, () => undefined, never)).rejects.toMatchObject({
    code: "not_found",
    message: expect.stringContaining(reference),
  });
});

it("pull() from a registry that does not answer is unavailable", async () => {
  const engine = await engineWith({});
  await expect(engine.pull("127.0.0.1:1/a/b:1", () => undefined, never)).rejects.toMatchObject({
    code: "unavailable",
  });
});

it("pull() ends when its signal aborts", async () => {
  const engine = await engineWith({
    [registry]: { auth: Buffer.from("me:secret").toString("base64") },
  });
  const controller = new AbortController();
  const pulled = engine.pull(`${registry}/${name}:slow`, () => undefined, controller.signal);
  await once(server, "slow");
  controller.abort();
  await expect(pulled).rejects.toMatchObject({
    code: "unavailable",
    message: expect.stringContaining("given up"),
  });
});

it.each([
  ["broken off", "broken-once"],
  ["answered with an error of its own", "error-once"],
  ["given as half a manifest", "half-once"],
])("a pull that a registry has %s is made whole by the next try", async (_, tag) => {
  const auths = { [registry]: { auth: Buffer.from("me:secret").toString("base64") } };
  const lines: string[] = [];
  const backoff = { sleep: async () => undefined, random: () => 0.5 };
  const store = createImageStore({ engine: await engineWith(auths), backoff });
  const reference = `${registry}/${name}:${tag}`;
  const image = await store.fetch(reference, "Always", (line) => lines.push(line), never);
  expect(image.references).toContain(reference);
  expect(lines).toContainEqual(
    expect.stringMatching(/^ImagePullBackOff: .*; try 2 of 5 in 1.0 s$/),
  );
});

it("a registry that wants to be asked less is left alone by the pulls of all its images", async () => {
  const auths = { [registry]: { auth: Buffer.from("me:secret").toString("base64") } };
  let now = 0;
  const sleeping = Promise.withResolvers<void>();
  const pauses = createRegistryPauses({ now: () => now });
  const engine = await engineWith(auths);
  const store = createImageStore({
    engine: {
      ...engine,
      pull: (reference, ...others) =>
        pauses.ask(reference, async () => void (await engine.pull(reference, ...others))),
    },
    backoff: { sleep: () => sleeping.promise, random: () => 0.5 },
  });
  const lines: string[] = [];
  const fetch = (tag: string) => {
    const tell = (line: string) => lines.push(`${tag}: ${line}`);
    return store.fetch(`${registry}/${name}:${tag}`, "Always", tell, never);
  };
  const tries = () => lines.filter((line) => line.includes("; try ")).length;
  const busy = fetch("busy-once");
  await expect.poll(tries, { timeout: 20_000 }).toBe(1);
  const other = fetch("latest");
  await expect.poll(tries, { timeout: 20_000 }).toBe(2);
  expect(lines).toContainEqual(
    expect.stringMatching(
      /^busy-once: ImagePullBackOff: .*toomanyrequests.*; try 1 of 5 in 5\.5 s$/,
    ),
  );
  expect(lines).toContainEqual(
    expect.stringMatching(
      /^latest: ImagePullBackOff: 127\S+ is left alone, .*; try 1 of 5 in 5\.5 s$/,
    ),
  );
  now = 6_000;
  sleeping.resolve();
  await Promise.all([busy, other]);
});

it("isPublished() asks with the credential, and tells a registry that is away from one that says no", async () => {
  const auths = { [registry]: { auth: Buffer.from("me:secret").toString("base64") } };
  const [mine, nobodys] = [await engineWith(auths), await engineWith({})];
  expect(await mine.isPublished(`${registry}/${name}`, never)).toBe(true);
  expect(await mine.isPublished(`${registry}/${name}:absent`, never)).toBe(false);
  await expect(nobodys.isPublished(`${registry}/${name}`, never)).rejects.toMatchObject({
    code: "forbidden",
    message: expect.stringMatching(/unauthorized|no basic auth/) as string,
  });
  await expect(mine.isPublished("127.0.0.1:1/a/b:1", never)).rejects.toBeInstanceOf(
    RegistryAwayError,
  );
});

async function engineWith(
  auths: Record<string, { auth: string }>,
  more: { credsStore?: string } = {},
) {
  const configFile = join(folder, `${randomUUID()}.json`);
  await writeFile(configFile, JSON.stringify({ auths, ...more }));
  return createDockerEngine({
    docker,
    reach: { kind: "bridge" },
    network: "none",
    publishAddress: "127.0.0.1",
    log: { warn: () => undefined },
    credentials: { configFile },
  });
}

/**
 * A registry of one image, for `me` with `secret`, under the tags `latest`, `slow` (whose manifest never comes),
 * and four that are good the second time: `busy-once`, which is told to ask less, `broken-once`, `error-once` and `half-once`.
 */
function createRegistry(): Server {
  const layer = directoryArchive(["made-for-a-test"], { uid: 0, gid: 0 });
  const packed = gzipSync(layer);
  const config = Buffer.from(
    JSON.stringify({
      architecture: process.arch === "arm64" ? "arm64" : "amd64",
      os: "linux",
      config: { Entrypoint: ["serve"], Cmd: ["--port", "1"] },
      rootfs: { type: "layers", diff_ids: [digest(layer)] },
    }),
  );
  const prefix = "application/vnd.oci.image";
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: `${prefix}.manifest.v1+json`,
      config: {
        mediaType: `${prefix}.config.v1+json`,
        digest: digest(config),
        size: config.length,
      },
      layers: [
        { mediaType: `${prefix}.layer.v1.tar+gzip`, digest: digest(packed), size: packed.length },
      ],
    }),
  );
  const half = { "content-type": `${prefix}.manifest.v1+json` };
  const held = new Map([
    ["/v2/", Buffer.from("{}")],
    [`/v2/${name}/manifests/latest`, manifest],
    [`/v2/${name}/manifests/${digest(manifest)}`, manifest],
    [`/v2/${name}/blobs/${digest(config)}`, config],
    [`/v2/${name}/blobs/${digest(packed)}`, packed],
  ]);
  const goneWrong = new Set<string>();
  const made = createServer((request, response) => {
    const expected = `Basic ${Buffer.from("me:secret").toString("base64")}`;
    if (request.headers.authorization !== expected) {
      response
        .writeHead(401, { "www-authenticate": 'Basic realm="test"' })
        .end(errors("UNAUTHORIZED"));
      return;
    }
    if (request.url?.endsWith("/slow")) {
      made.emit("slow");
      return;
    }
    const once = /\/(\w+)-once$/.exec(request.url ?? "")?.[1] ?? "";
    if (once !== "" && !goneWrong.has(once)) {
      // After a HEAD that is answered, but not well, the engine asks once more by a GET.
      if (request.method === "GET" || once === "broken") goneWrong.add(once);
      if (once === "broken") request.socket.destroy();
      if (once === "error") response.writeHead(500, { "content-type": "text/html" }).end("<p>no");
      if (once === "busy") response.writeHead(429, { "content-type": "text/html" }).end("<p>slow");
      if (once === "half") response.writeHead(200, half).end(manifest.subarray(0, 100));
      return;
    }
    const body = held.get((request.url ?? "").replace(/\w+-once$/, "latest"));
    if (!body) {
      response
        .writeHead(404, { "content-type": "application/json" })
        .end(errors("MANIFEST_UNKNOWN"));
      return;
    }
    const type = body === manifest ? `${prefix}.manifest.v1+json` : "application/octet-stream";
    response.writeHead(200, {
      "content-type": type,
      "content-length": body.length,
      "docker-content-digest": digest(body),
      "docker-distribution-api-version": "registry/2.0",
    });
    response.end(request.method === "HEAD" ? undefined : body);
  });
  return made;
}

function errors(code: string): string {
  return JSON.stringify({ errors: [{ code, message: code.toLowerCase().replaceAll("_", " ") }] });
}

function digest(bytes: Buffer): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}
