import { execFile } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer, type ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import { z } from "zod";
import { docker } from "../support/docker.ts";

const run = promisify(execFile);

/** A registry of images that are made when they are asked for: a base image, and random bytes over it. */
export interface ImageSource extends AsyncDisposable {
  /** `address:port/name:tag` of an image with so many MiB of its own; each name is another image. */
  reference(name: string, sizeMib: number): string;
  /** How often each layer of random bytes was sent, by the image's name. */
  readonly sent: ReadonlyMap<string, number>;
}

const MIB = 1024 * 1024;
const TYPE = "application/vnd.oci.image";
const BLOCK = 512;
/** Of all that is sent: as slow for a disk of these tests as a fast network is for a real one. */
const BYTES_PER_SECOND = 30 * MIB;

const SaveManifest = z.array(z.object({ Config: z.string(), Layers: z.array(z.string()) }));
const Config = z.looseObject({
  rootfs: z.object({ type: z.string(), diff_ids: z.array(z.string()) }),
});

/** Listens on an address of this machine that engines in its containers reach. `base` is on this machine's engine. */
export async function startImageSource(base: string, address: string): Promise<ImageSource> {
  const { layers, config } = await unpack(base);
  const blobs = new Map<string, Buffer>(layers.map((layer) => [digestOf(layer), layer]));
  const manifests = new Map<string, Buffer>();
  const owners = new Map<string, string>();
  const sent = new Map<string, number>();
  const noise = randomBytes(MIB);
  let turn = Promise.resolve();

  function make(name: string, sizeMib: number): void {
    const own = layerOf(name, noise, sizeMib);
    const diff_ids = [...config.rootfs.diff_ids, digestOf(own)];
    const text = JSON.stringify({
      ...config,
      history: undefined,
      rootfs: { ...config.rootfs, diff_ids },
    });
    const ofConfig = Buffer.from(text);
    const manifest = {
      schemaVersion: 2,
      mediaType: `${TYPE}.manifest.v1+json`,
      config: descriptor("config.v1+json", ofConfig),
      layers: [...layers, own].map((layer) => descriptor("layer.v1.tar", layer)),
    };
    const ofManifest = Buffer.from(JSON.stringify(manifest));
    blobs.set(digestOf(ofConfig), ofConfig);
    blobs.set(digestOf(own), own);
    owners.set(digestOf(own), name);
    for (const key of ["1", digestOf(ofManifest)]) manifests.set(`${name}/${key}`, ofManifest);
  }

  async function answer(path: string, response: ServerResponse, hasBody: boolean): Promise<void> {
    const [, name = "", kind, key = ""] =
      /^\/v2\/([^/]+)\/(manifests|blobs)\/(.+)$/.exec(path) ?? [];
    const body = kind === "manifests" ? manifests.get(`${name}/${key}`) : blobs.get(key);
    if (path === "/v2/") return void response.end("{}");
    if (!body) return void response.writeHead(404).end();
    response.writeHead(200, {
      "content-type":
        kind === "manifests" ? `${TYPE}.manifest.v1+json` : "application/octet-stream",
      "content-length": body.length,
      "docker-content-digest": digestOf(body),
    });
    const owner = owners.get(key);
    if (!hasBody) return void response.end();
    if (owner !== undefined) sent.set(owner, (sent.get(owner) ?? 0) + 1);
    for (let at = 0; at < body.length && !response.destroyed; at += MIB) {
      response.write(body.subarray(at, at + MIB));
      turn = turn.then(() => delay((1000 * MIB) / BYTES_PER_SECOND));
      await turn;
    }
    response.end();
  }

  const server = createServer((request, response) => {
    void answer(request.url ?? "", response, request.method !== "HEAD");
  }).listen(0, address);
  await once(server, "listening");
  const bound = server.address();
  const port = typeof bound === "object" ? bound?.port : "";

  return {
    sent,
    reference(name, sizeMib) {
      if (!manifests.has(`${name}/1`)) make(name, sizeMib);
      return `${address}:${port}/${name}:1`;
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
    },
  };
}

async function unpack(
  image: string,
): Promise<{ layers: Buffer[]; config: z.infer<typeof Config> }> {
  const folder = await mkdtemp(join(tmpdir(), "image-source-"));
  try {
    await docker("save", "--output", join(folder, "image.tar"), image);
    await run("tar", ["-xf", join(folder, "image.tar"), "-C", folder]);
    const read = (name: string): Promise<Buffer> => readFile(join(folder, name));
    const [manifest] = SaveManifest.parse(JSON.parse(String(await read("manifest.json"))));
    if (!manifest) throw new Error(`${image} has no manifest`);
    const layers = await Promise.all(manifest.Layers.map(read));
    return { layers, config: Config.parse(JSON.parse(String(await read(manifest.Config)))) };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function descriptor(type: string, content: Buffer) {
  return { mediaType: `${TYPE}.${type}`, digest: digestOf(content), size: content.length };
}

function digestOf(content: Buffer): string {
  return `sha256:${createHash("sha256").update(content).digest("hex")}`;
}

/** A tar archive (POSIX.1-1988) of one file, `/bytes/of-{name}`, that begins with its name. */
function layerOf(name: string, noise: Buffer, sizeMib: number): Buffer {
  const header = Buffer.alloc(BLOCK);
  const octal = (value: number, digits: number): string =>
    `${value.toString(8).padStart(digits, "0")}\0`;
  header.write(`bytes/of-${name}`, 0);
  header.write(octal(0o644, 7) + octal(0, 7) + octal(0, 7), 100);
  header.write(octal(sizeMib * MIB, 11) + octal(0, 11), 124);
  header.write(`${" ".repeat(8)}0`, 148);
  header.write("ustar\u000000", 257);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  const content = Buffer.concat(Array.from({ length: sizeMib }, () => noise));
  content.write(name);
  return Buffer.concat([header, content, Buffer.alloc(2 * BLOCK)]);
}
