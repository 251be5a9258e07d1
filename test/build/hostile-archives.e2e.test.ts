import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { gzipSync } from "node:zlib";
import { pruneBuildCache, tarHeader, type TarEntry } from "@remote-runtime/testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startCluster, type Cluster } from "../cluster/cluster.ts";
import { call } from "../support/call.ts";
import { until } from "../support/until.ts";
import { acceptedBuild, contextOf, endedBuild, removeImages } from "./build-client.ts";

const MIB = 1024 * 1024;
const BOUNDARY = "boundary-of-a-hostile-upload";
const marker = `test-hostile-${randomBytes(4).toString("hex")}`;
const began = new Date(Date.now() - 1000);
let cluster: Cluster;
/** All that the servers write is below this. */
let temporary: string;

beforeAll(async () => {
  temporary = await mkdtemp(join(tmpdir(), "test-hostile-"));
  const env = { TMPDIR: temporary, MAX_BUILD_CONTEXT_MIB: "1" };
  cluster = await startCluster({ replicas: 1, env: () => env });
});

afterAll(async () => {
  await cluster[Symbol.asyncDispose]();
  await removeImages(`localhost/${marker}`);
  await pruneBuildCache(marker, began);
  await rm(temporary, { recursive: true, force: true });
});

type Entry = TarEntry & { content?: Buffer };

const DOCKERFILE: Entry = {
  path: "./Dockerfile",
  content: Buffer.from("FROM scratch\nCOPY . /\n"),
};

/** A gzipped archive of a good Dockerfile and these. */
function archive(...entries: Entry[]): Buffer {
  const blocks = [DOCKERFILE, ...entries].flatMap(({ content = Buffer.alloc(0), ...entry }) => {
    const padding = Buffer.alloc((512 - (content.length % 512)) % 512);
    return [tarHeader({ ...entry, bytes: content.length }), content, padding];
  });
  return gzipSync(Buffer.concat([...blocks, Buffer.alloc(1024)]));
}

const asText = (bytes: Buffer): Buffer => Buffer.from(bytes.toString("base64"));
const evil = (entry: Entry): Buffer => asText(archive(entry));

type Case = { upload: Buffer; status: number; says: RegExp };

const CASES: Record<string, Case> = {
  "an absolute path": {
    upload: evil({ path: "/etc/cron.d/evil", content: Buffer.from("x") }),
    status: 400,
    says: /path is absolute/,
  },
  "a path with ..": {
    upload: evil({ path: "code/../../evil", content: Buffer.from("x") }),
    status: 400,
    says: /path has \.\. in it/,
  },
  "a symbolic link out": {
    upload: evil({ path: "code/link", kind: "symbolicLink", target: "../../etc" }),
    status: 400,
    says: /leads out of/,
  },
  "a hard link out": {
    upload: evil({ path: "link", kind: "hardLink", target: "/etc/passwd" }),
    status: 400,
    says: /target is absolute/,
  },
  "a bomb, 64 KiB of which unpack to 64 MiB": {
    upload: evil({ path: "zeros", content: Buffer.alloc(64 * MIB) }),
    status: 413,
    says: /larger than 10 MiB unpacked/,
  },
  "what is no base64 text": {
    upload: Buffer.from("%PDF-1.7 \u0000\u0001 not at all"),
    status: 400,
    says: /neither gzip nor base64/,
  },
  "base64 text of what is no gzip": {
    upload: asText(randomBytes(10_000).fill(0x42, 0, 2)),
    status: 400,
    says: /no gzipped tar/,
  },
  "gzip of what is no tar": {
    upload: gzipSync(randomBytes(10_000)),
    status: 400,
    says: /no gzipped tar/,
  },
  "an archive that ends in the middle": {
    upload: archive({ path: "noise", content: randomBytes(100_000) }).subarray(0, 50_000),
    status: 400,
    says: /no gzipped tar/,
  },
  "an archive without a Dockerfile": {
    upload: gzipSync(Buffer.alloc(1024)),
    status: 400,
    says: /Dockerfile|no gzipped tar/,
  },
  "an empty file": { upload: Buffer.alloc(0), status: 400, says: /context|gzip/ },
  "more than the limit": {
    upload: evil({ path: "noise", content: randomBytes(2 * MIB) }),
    status: 413,
    says: /larger than 1 MiB/,
  },
  "far more than the limit": {
    upload: evil({ path: "noise", content: randomBytes(12 * MIB) }),
    status: 413,
    says: /larger than 1 MiB/,
  },
};

/** The parts as V0 sends them. */
function formOf(upload: Buffer): Buffer {
  const part = `--${BOUNDARY}\r\nContent-Disposition: form-data; name=`;
  return Buffer.concat([
    Buffer.from(`${part}"context"; filename="context.tar.gz"\r\n\r\n`),
    upload,
    Buffer.from(
      `\r\n${part}"target_image"\r\n\r\nlocalhost/${marker}:never\r\n--${BOUNDARY}--\r\n`,
    ),
  ]);
}

const FORM_TYPE = `multipart/form-data; boundary=${BOUNDARY}`;

/** The servers by what leads to them. */
function servers(): { name: string; url: string }[] {
  const [replica] = cluster.replicas;
  if (!replica) throw new Error("one was started");
  return [
    { name: "gateway", url: cluster.gateway.url },
    { name: "replica", url: replica.url },
  ];
}

const headers = (): Record<string, string> => ({
  "X-API-Key": cluster.key,
  "Content-Type": FORM_TYPE,
});

/** Without a length, as whoever hides how much it is would send it. */
async function postInChunks(url: string, body: Buffer): Promise<{ status: number; body: string }> {
  const chunked = { ...headers(), "Transfer-Encoding": "chunked" };
  const outgoing = request(`${url}/build`, { method: "POST", headers: chunked });
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number; body: string }>();
  outgoing.once("error", reject);
  outgoing.once("response", (answer) => {
    text(answer).then((said) => resolve({ status: answer.statusCode ?? 0, body: said }), reject);
  });
  outgoing.end(body);
  return promise;
}

/** Files of uploads, wherever a server keeps them; logs of builds are to stay. */
async function uploads(): Promise<string[]> {
  try {
    const files = await readdir(temporary, { recursive: true, withFileTypes: true });
    return files
      .filter((file) => file.isFile() && !file.name.endsWith(".log"))
      .map(({ name }) => name);
  } catch (error) {
    // A folder that was seen is removed before it is read.
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return uploads();
    throw error;
  }
}

test.each(Object.entries(CASES))(
  "gateway and replica refuse %s in the body of the answer, and keep nothing of it",
  async (_, { upload, status, says }) => {
    const body = formOf(upload);
    for (const { name, url } of servers()) {
      const answer = await call(`${url}/build`, { method: "POST", headers: headers(), body });
      expect({ name, status: answer.status, said: answer.text }).toEqual({
        name,
        status,
        said: expect.stringMatching(says),
      });
      expect(answer.json()).toMatchObject({
        detail: expect.any(String),
        error: expect.any(String),
      });
      expect(await uploads()).toEqual([]);
    }
  },
);

test("gateway and replica refuse what does not say how large it is once it is too large", async () => {
  const body = formOf(asText(randomBytes(24 * MIB)));
  for (const { url } of servers()) {
    const answer = await postInChunks(url, body);
    expect(answer).toMatchObject({ status: 413, body: expect.stringContaining("1 MiB") });
    expect(await uploads()).toEqual([]);
  }
});

test("gateway and replica keep nothing of an upload whose client hangs up, and build what is good after all that", async () => {
  for (const { url } of servers()) {
    const outgoing = request(`${url}/build`, {
      method: "POST",
      headers: { ...headers(), "Content-Length": String(MIB) },
    });
    const failed = once(outgoing, "error").catch(() => undefined);
    outgoing.write(formOf(randomBytes(10_000).fill(0x1f, 0, 1)).subarray(0, 8_000));
    await until(uploads, (files) => files.length === 1, { what: "the upload's file" });
    outgoing.destroy(new Error("hangs up"));
    await failed;
    await until(uploads, (files) => files.length === 0, { what: "no file" });
  }
  for (const { name, url } of servers()) {
    const where = { url, key: cluster.key };
    const target = `localhost/${marker}:${name}`;
    const context = await contextOf({ Dockerfile: `FROM scratch\nCOPY Dockerfile /${marker}\n` });
    const { build_id } = await acceptedBuild(where, { context, target });
    expect(await endedBuild(where, build_id)).toMatchObject({ status: "SUCCESS", error: "" });
  }
  expect(await until(uploads, (files) => files.length === 0)).toEqual([]);
});
