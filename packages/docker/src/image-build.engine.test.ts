import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import { inspectBuildContext } from "@remote-runtime/image";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
// @boundaries-ignore the testing package depends on this one, and this file of it on nothing
import { tarHeader } from "../../testing/src/tar-header.ts";
import { createDocker } from "./create-docker.ts";
import { buildImage, type ImageBuildOptions } from "./image-build.ts";

const run = promisify(execFile);
const docker = createDocker();
const BASE = "node:24-bookworm-slim";
const name = `image-build-test-${randomBytes(4).toString("hex")}`;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "image-build-"));
});

afterAll(async () => {
  const { stdout } = await run("docker", ["images", "--quiet", `${name}*`]);
  const ids = [...new Set(stdout.split("\n").filter((id) => id !== ""))];
  if (ids.length > 0) await run("docker", ["rmi", "--force", ...ids]);
  await pruneBuildCache();
  await rm(folder, { recursive: true, force: true });
});

/** Builds a Dockerfile, with what it has printed as well. */
async function build(dockerfile: string, options: Partial<ImageBuildOptions> = {}) {
  const context = await mkdtemp(join(folder, "context-"));
  await writeFile(join(context, "Dockerfile"), dockerfile);
  const contextPath = `${context}.tar.gz`;
  await run("tar", ["--create", "--gzip", "--file", contextPath, "--directory", context, "."]);
  let log = "";
  const id = await buildImage({
    docker,
    credentials: {},
    contextPath,
    references: [`${name}:1`],
    useCache: true,
    onLog: (text) => void (log += text),
    signal: AbortSignal.timeout(100_000),
    ...options,
  });
  return { id, log };
}

/** Each test has layers of its own. */
const unique = (): string => `ARG ${randomBytes(6).toString("hex")}`;

test("buildImage() builds with BuildKit: a cache mount lives on from one build to the next", async () => {
  const mount = `--mount=type=cache,target=/cache,id=${name}`;
  const dockerfile = (step: string) =>
    `FROM ${BASE}\nRUN ${mount} echo ${step} >> /cache/steps && cat /cache/steps # ${name}\n`;
  const references = [`${name}:1`, `${name}-other/part:2`, `${name}:3`];
  const first = await build(dockerfile("one"), { references });
  const second = await build(dockerfile("two"));
  expect(second.log).toMatch(/^one\ntwo$/m);
  for (const reference of references.slice(1)) {
    expect((await docker.getImage(reference).inspect()).Id).toBe(first.id);
  }
});

test("buildImage() takes steps from the layer cache, but not when it shall not", async () => {
  const dockerfile = `FROM ${BASE}\n${unique()}\nRUN echo printed-$((40+2)) # ${name}\n`;
  expect((await build(dockerfile)).log).toContain("printed-42");
  const again = await build(dockerfile);
  expect(again.log).toContain("CACHED");
  expect(again.log).not.toContain("printed-42");
  expect((await build(dockerfile, { useCache: false })).log).toContain("printed-42");
});

test("buildImage() says what has failed", async () => {
  let printed = "";
  const onLog = (text: string): void => void (printed += text);
  const failing = build(`FROM ${BASE}\n${unique()}\nRUN echo last words; exit 3\n`, { onLog });
  await expect(failing).rejects.toMatchObject({ code: "bad_request" });
  await expect(failing).rejects.toThrow(/exit 3.*exit code: 3/);
  expect(printed).toContain("last words");
  await expect(build("FROMM scratch\n")).rejects.toThrow(/unknown instruction: FROMM/);
});

test("buildImage() tells a build's own fault from that of what it needs, whatever words the build uses", async () => {
  const words = 'echo "no space left on device: connection refused"; exit 1';
  const own = [
    `FROM ${BASE}\n${unique()}\nRUN ${words}\n`,
    `FROM ${BASE}\n${unique()}\nRUN sh -c 'kill -9 $$'\n`,
    `FROM ${BASE}\nCOPY ["no space left on device", "/x"]\n`,
  ];
  for (const dockerfile of own) {
    await expect(build(dockerfile)).rejects.toMatchObject({ code: "bad_request" });
  }
  // Nothing listens at the first port.
  const away = ["FROM 127.0.0.1:1/a/b:1\n", `FROM ${BASE}\nADD http://127.0.0.1:1/x /\n`];
  for (const dockerfile of away) {
    await expect(build(dockerfile)).rejects.toMatchObject({ code: "unavailable" });
  }
});

test.each(["gnu", "posix"])(
  "buildImage() builds what the inspection takes: odd names in the format %s",
  async (format) => {
    const context = await mkdtemp(join(folder, "odd-"));
    const long = "n".repeat(120);
    const names = ["two\nlines", "12 path=x\n", 'b\u00e4r \\ "x"', `${long}/${long}`].map((text) =>
      Buffer.from(text),
    );
    const bytes = Buffer.from("n\xffo-text", "latin1");
    await mkdir(join(context, "c"));
    await mkdir(join(context, "a"));
    await mkdir(join(context, long));
    for (const path of [...names, bytes]) {
      await writeFile(Buffer.concat([Buffer.from(`${context}/`), path]), "odd");
    }
    await symlink("../c/../two\nlines", join(context, "a", "link"));
    // In UTF-8, as the format knows no other; but with bytes that are none.
    const check = `test $(grep -rl odd /in | tr -cd / | wc -c) -ge 10 && cat /in/a/link && test -f "/in/$(printf 'n\\377o-text')"`;
    await writeFile(
      join(context, "Dockerfile"),
      `FROM ${BASE}\n${unique()}\nCOPY . /in\nRUN ${check}\n`,
    );
    const contextPath = `${context}.tar.gz`;
    const options = ["--create", "--gzip", `--format=${format}`, "--file", contextPath];
    await run("tar", [...options, "--directory", context, "."]);
    const limits = { maxEntries: 100, maxUnpackedBytes: 1024 * 1024 };
    await inspectBuildContext(contextPath, limits, AbortSignal.timeout(10_000));
    expect((await build("", { contextPath })).log).toContain("odd");
  },
);

test("buildImage() sees the entries that the inspection sees, whatever their sizes say", async () => {
  const archive = async (hidden: string): Promise<string> => {
    const dockerfile = Buffer.alloc(512, "\n");
    dockerfile.write(`FROM ${BASE}\n${unique()}\nCOPY . /in\nRUN find /in -printf "%P,"; echo\n`);
    const contextPath = join(folder, `sizes-${randomBytes(4).toString("hex")}.tar.gz`);
    const blocks = [
      tarHeader({ path: "Dockerfile", bytes: 512 }),
      dockerfile,
      // A link has no content: what follows it is an entry. A file has, also with the name of a folder.
      tarHeader({ path: "link", kind: "symbolicLink", target: "a", bytes: 512 }),
      tarHeader({ path: hidden }),
      tarHeader({ path: "file/", bytes: 512 }),
      tarHeader({ path: "../content" }),
      Buffer.alloc(1024),
    ];
    await writeFile(contextPath, gzipSync(Buffer.concat(blocks)));
    return contextPath;
  };
  const limits = { maxEntries: 100, maxUnpackedBytes: 1024 * 1024 };
  const inspect = (path: string) => inspectBuildContext(path, limits, AbortSignal.timeout(10_000));
  await expect(inspect(await archive("../hidden"))).rejects.toThrow(/"..\/hidden": its path has/);
  const contextPath = await archive("hidden");
  await inspect(contextPath);
  const { log } = await build("", { contextPath });
  const printed = log.split("\n").find((line) => line.startsWith(","));
  expect(printed?.split(",").toSorted().join(" ").trim()).toBe("Dockerfile file hidden link");
});

test("buildImage() ends at once when it is given up, and so does the engine", async () => {
  const marker = `sleep 4${String(randomBytes(3).readUIntBE(0, 3))}`;
  const controller = new AbortController();
  const building = build(`FROM ${BASE}\nRUN echo begun; ${marker} # ${name}\n`, {
    signal: controller.signal,
    onLog: (text) => text.startsWith("begun") && controller.abort(),
  });
  await expect(building).rejects.toMatchObject({ code: "unavailable" });
  const isRunning = async (): Promise<boolean> =>
    (await runningCommands()).includes(marker.replace(" ", "\0"));
  await vi.waitUntil(async () => !(await isRunning()), { timeout: 20_000, interval: 200 });
});

test("buildImage() keeps its session for a build that is silent for long", async () => {
  const { log } = await build(`FROM ${BASE}\n${unique()}\nRUN sleep 25; echo woken # ${name}\n`);
  expect(log).toContain("woken");
});

test("buildImage() tells a registry its own credential, and no other registry", async () => {
  const seen: string[] = [];
  const registry = (request: IncomingMessage, response: ServerResponse): void => {
    const { authorization } = request.headers;
    seen.push(`${request.headers.host}: ${authorization ?? "none"}`);
    response.writeHead(authorization ? 404 : 401, { "WWW-Authenticate": 'Basic realm="test"' });
    response.end();
  };
  const servers = [createServer(registry), createServer(registry)];
  try {
    for (const server of servers) await once(server.listen(0, "127.0.0.1"), "listening");
    const [own, other] = servers.map(
      (server) => `127.0.0.1:${(server.address() as AddressInfo).port}`,
    );
    const auth = Buffer.from("me:secret").toString("base64");
    await mkdir(join(folder, "docker"));
    const configFile = join(folder, "docker", "config.json");
    await writeFile(configFile, JSON.stringify({ auths: { [own ?? ""]: { auth } } }));
    const credentials = { configFile };
    for (const host of [own, other]) {
      const building = build(`FROM ${host}/private/image:1\n`, { credentials });
      await expect(building).rejects.toMatchObject({ code: "bad_request" });
    }
    expect(seen).toContain(`${own}: Basic ${auth}`);
    expect(seen).toContain(`${other}: none`);
    expect(seen.filter((line) => line.startsWith(`${other}:`) && line.includes(auth))).toEqual([]);
  } finally {
    for (const server of servers) server.close();
  }
});

/** The command lines of all processes here, their words parted by NUL. */
async function runningCommands(): Promise<string[]> {
  const ids = (await readdir("/proc")).filter((entry) => /^\d+$/.test(entry));
  const lines = ids.map((id) => readFile(`/proc/${id}/cmdline`, "utf8").catch(() => ""));
  return (await Promise.all(lines)).map((line) => line.replace(/\0$/, ""));
}

/** What names this test in its step; dockerode's own call takes no filter. */
async function pruneBuildCache(): Promise<void> {
  const format = ["--format", "{{range .BuildCache}}{{.ID}} {{.Description}}\n{{end}}"];
  const { stdout } = await run("docker", ["system", "df", "--verbose", ...format]);
  for (const line of stdout.split("\n").filter((text) => text.includes(name))) {
    const filter = `id=${line.split(" ")[0] ?? ""}`;
    await run("docker", ["builder", "prune", "--all", "--force", "--filter", filter]);
  }
}
