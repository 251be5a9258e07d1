import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";

const OCI = "application/vnd.oci.image";
const REMOVE_DEADLINE_MS = 120_000;
const MOST_NAMES = 100;

/**
 * A Docker registry on this machine's loopback, which engines here take without TLS: images of one layer with one file in
 * it, made when the test names them. It counts what was asked of it, and fails or waits where it is told to.
 */
export interface TinyRegistry extends AsyncDisposable {
  /** `127.0.0.1:port`. */
  readonly host: string;
  /** Makes an image, whose content only this name has, and returns its reference. Default 10 kB, of noise. */
  add(name: string, options?: { layerBytes?: number }): string;
  /** How often the layer of that image was sent whole. */
  pulls(name: string): number;
  /** Whether its layer was ever asked for. */
  asked(name: string): boolean;
  /** From now on every request for that image gets this status; undefined: it is well again. */
  fail(name: string, status: number | undefined): void;
  /** From now on the layer of that image is sent only after `release`, or never. */
  hold(name: string): void;
  release(name: string): void;
}

type Image = {
  /** By the last part of the path: a tag or a digest. */
  manifests: Map<string, Buffer>;
  blobs: Map<string, Buffer>;
  layerDigest: string;
  asked: boolean;
  pulls: number;
  status: number | undefined;
  held: PromiseWithResolvers<void> | undefined;
};

/** Starts it on a free port. Disposing ends it and removes from the engine what was pulled from it. */
export async function startTinyRegistry(): Promise<TinyRegistry> {
  const images = new Map<string, Image>();
  const server = createServer((request, response) => {
    // The engine may hang up in the middle.
    serve(images, request, response).catch(() => response.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const host = `127.0.0.1:${typeof address === "object" ? address?.port : ""}`;

  function imageOf(name: string): Image {
    const image = images.get(name);
    if (image === undefined) throw new Error(`the registry has no image ${name}`);
    return image;
  }

  function release(name: string): void {
    const image = imageOf(name);
    image.held?.resolve();
    image.held = undefined;
  }

  return {
    host,
    add(name, { layerBytes = 10_000 } = {}) {
      images.set(name, makeImage(`${host}/${name}`, layerBytes));
      return `${host}/${name}:latest`;
    },
    pulls: (name) => imageOf(name).pulls,
    asked: (name) => imageOf(name).asked,
    fail: (name, status) => void (imageOf(name).status = status),
    hold(name) {
      release(name);
      imageOf(name).held = Promise.withResolvers();
    },
    release,
    async [Symbol.asyncDispose]() {
      for (const name of images.keys()) release(name);
      server.closeAllConnections();
      server.close();
      await removeImagesOf(host);
    },
  };
}

async function serve(
  images: ReadonlyMap<string, Image>,
  { method, url = "" }: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (url === "/v2/") return void response.writeHead(200).end("{}");
  const { name = "", kind, at = "" } = PATH.exec(url)?.groups ?? {};
  const image = images.get(name);
  const body = kind === "manifests" ? image?.manifests.get(at) : image?.blobs.get(at);
  if (image?.status !== undefined) return refuse(response, image.status, "UNKNOWN");
  if (image === undefined || body === undefined) return refuse(response, 404, "MANIFEST_UNKNOWN");
  response.writeHead(200, {
    "content-type": kind === "manifests" ? `${OCI}.manifest.v1+json` : "application/octet-stream",
    "content-length": body.length,
    "docker-content-digest": digest(body),
    "docker-distribution-api-version": "registry/2.0",
  });
  if (method === "HEAD") return void response.end();
  if (at === image.layerDigest) {
    image.asked = true;
    response.flushHeaders();
    await image.held?.promise;
  }
  response.end(body, () => {
    if (at === image.layerDigest) image.pulls += 1;
  });
}

const PATH = /^\/v2\/(?<name>.+)\/(?<kind>manifests|blobs)\/(?<at>[^/]+)$/;

function refuse(response: ServerResponse, status: number, code: string): void {
  const message = code.toLowerCase().replaceAll("_", " ");
  response
    .writeHead(status, { "content-type": "application/json" })
    .end(JSON.stringify({ errors: [{ code, message }] }));
}

function makeImage(seed: string, layerBytes: number): Image {
  const layer = archiveOf("noise", noiseOf(seed, layerBytes));
  const packed = gzipSync(layer, { level: 0 });
  const config = Buffer.from(
    JSON.stringify({
      architecture: process.arch === "arm64" ? "arm64" : "amd64",
      os: "linux",
      config: { Cmd: ["/noise"] },
      rootfs: { type: "layers", diff_ids: [digest(layer)] },
    }),
  );
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: `${OCI}.manifest.v1+json`,
      config: described(`${OCI}.config.v1+json`, config),
      layers: [described(`${OCI}.layer.v1.tar+gzip`, packed)],
    }),
  );
  return {
    manifests: new Map([
      ["latest", manifest],
      [digest(manifest), manifest],
    ]),
    blobs: new Map([
      [digest(config), config],
      [digest(packed), packed],
    ]),
    layerDigest: digest(packed),
    asked: false,
    pulls: 0,
    status: undefined,
    held: undefined,
  };
}

function described(mediaType: string, content: Buffer): object {
  return { mediaType, digest: digest(content), size: content.length };
}

/** Bytes that no two seeds share. */
function noiseOf(seed: string, length: number): Buffer {
  const block = createHash("sha512").update(seed).digest();
  return Buffer.alloc(length, block);
}

/** A tar archive (POSIX ustar) of one file. */
function archiveOf(path: string, content: Buffer): Buffer {
  const header = Buffer.alloc(512);
  const octal = (value: number, digits: number): string =>
    `${value.toString(8).padStart(digits, "0")}\0`;
  header.write(path, 0);
  header.write(octal(0o755, 7), 100);
  header.write(octal(0, 7), 108);
  header.write(octal(0, 7), 116);
  header.write(octal(content.length, 11), 124);
  header.write(octal(0, 11), 136);
  header.write("        0", 148);
  header.write("ustar\u000000", 257);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${octal(sum, 6)} `, 148);
  const padding = Buffer.alloc((512 - (content.length % 512)) % 512);
  return Buffer.concat([header, content, padding, Buffer.alloc(1024)]);
}

async function removeImagesOf(host: string): Promise<void> {
  const docker = async (...args: string[]): Promise<string> =>
    (await promisify(execFile)("docker", args, { timeout: REMOVE_DEADLINE_MS })).stdout;
  const names = (await docker("images", "--format", "{{.Repository}}:{{.Tag}}"))
    .split("\n")
    .filter((name) => name.startsWith(`${host}/`));
  for (let at = 0; at < names.length; at += MOST_NAMES) {
    await docker("rmi", "--force", ...names.slice(at, at + MOST_NAMES));
  }
}

function digest(bytes: Buffer): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}
