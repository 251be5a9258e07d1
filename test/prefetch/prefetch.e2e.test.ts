import { randomBytes } from "node:crypto";
import { mkdtemp, mkdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startTinyRegistry, type TinyRegistry } from "@remote-runtime/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { removeImages } from "../build/build-client.ts";
import { type CliProcess, type CliResult, runCli, startCli } from "../cli/cli.ts";
import { startCluster, type Cluster } from "../cluster/cluster.ts";
import { docker } from "../support/docker.ts";
import { startStubServer, type StubServer } from "../support/stub-server.ts";
import { stubStart } from "../support/stub-start.ts";
import { until } from "../support/until.ts";

const Document = z.object({
  images: z.number(),
  held: z.number(),
  pulled: z.number(),
  failed: z.number(),
  failures: z.array(
    z.object({ image: z.string(), replica_id: z.string().nullable(), error: z.string() }),
  ),
  replicas: z.array(z.object({ replica_id: z.string(), pulled: z.number() })),
});

let registry: TinyRegistry;
let folder: string;

beforeAll(async () => {
  registry = await startTinyRegistry();
  folder = await mkdtemp(join(tmpdir(), "prefetch-"));
});
afterAll(async () => {
  await registry[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

/** Makes so many images, and a file that lists them. */
async function makeList(count: number): Promise<{ names: string[]; file: string }> {
  const prefix = `list-${randomBytes(4).toString("hex")}`;
  const names = Array.from({ length: count }, (_, i) => `${prefix}/image-${i}`);
  const file = join(folder, prefix);
  await writeFile(file, names.map((name) => registry.add(name)).join("\n"));
  return { names, file };
}

const pullsOf = (names: readonly string[]): number[] => names.map((name) => registry.pulls(name));
const each = (names: readonly string[], count: number): number[] => names.map(() => count);
const documentOf = ({ stdout }: CliResult): z.infer<typeof Document> =>
  Document.parse(JSON.parse(stdout));

async function untilPulled(names: readonly string[]): Promise<void> {
  await until(
    async () => pullsOf(names),
    (pulls) => pulls.every((count) => count > 0),
    { what: `pulls of ${names.join(", ")}` },
  );
}

/** Whole, and unpacked, as a pull that is broken off after it was sent is done again. */
async function untilHeld(names: readonly string[]): Promise<void> {
  const wanted = new Set(names.map((name) => `${registry.host}/${name}:latest`));
  await until(
    async () => {
      const held = await docker("images", "--format", "{{.Repository}}:{{.Tag}}");
      return held.split("\n").filter((name) => wanted.has(name)).length;
    },
    (held) => held === wanted.size,
    { what: `the engine holding ${names.join(", ")}` },
  );
}

describe("remote-runtime prefetch, against a gateway and two replicas", () => {
  let cluster: Cluster;
  let env: Record<string, string>;

  beforeAll(async () => {
    // What is held here holds up the engine, which downloads three layers at a time, whoever wants them.
    cluster = await startCluster({ env: (): Record<string, string> => ({ MAX_PULLS: "1" }) });
    env = { REMOTE_RUNTIME_URL: cluster.gateway.url, SANDBOX_API_KEY: cluster.key };
  });
  afterAll(() => cluster[Symbol.asyncDispose]());

  const run = (...args: string[]): Promise<CliResult> => runCli(["prefetch", ...args], env);
  const start = (...args: string[]): CliProcess => startCli(["prefetch", ...args], env);

  test("brings each image once, goes on after one that fails, and repeats nothing when it is asked again", async () => {
    const { names, file } = await makeList(24);
    const [bad = "", ...good] = names;
    registry.fail(bad, 404);
    const cold = await run(file, "--plan");
    expect(cold.stdout).toMatch(
      /24 images on 2 replicas, 24 to pull: 2\d\d kB compressed, 1 of unknown size\n1 size unknown: /,
    );
    expect(pullsOf(names)).toEqual(each(names, 0));
    const first = await run(file, "--json");
    expect(first.code).toBe(1);
    expect(documentOf(first)).toMatchObject({
      images: 24,
      held: 0,
      pulled: 23,
      failed: 1,
      failures: [{ image: `${registry.host}/${bad}:latest` }],
    });
    expect(documentOf(first).replicas.filter(({ pulled }) => pulled > 0)).toHaveLength(2);
    expect(pullsOf(good)).toEqual(each(good, 1));
    registry.fail(bad, undefined);
    const second = await run(file, "--json");
    expect(second.code).toBe(0);
    expect(documentOf(second)).toMatchObject({ held: 23, pulled: 1, failed: 0 });
    expect(pullsOf(names)).toEqual(each(names, 1));
    const plan = await run(file, "--plan");
    expect(plan.stdout).toContain("24 images on 2 replicas, 0 to pull: 0 B");
  });

  test("stopped by Ctrl-C and started again it goes on, and starts do not wait for it", async () => {
    const { names, file } = await makeList(12);
    for (const name of names) registry.hold(name);
    const interrupted = start(file);
    await until(
      async () => names.filter((name) => registry.asked(name)).length,
      (asked) => asked === 2,
      { what: "a pull on each of the replicas" },
    );
    const wanted = `start-${randomBytes(4).toString("hex")}/image`;
    const image = registry.add(wanted);
    const started = await cluster.gateway.api.start(stubStart(image));
    await untilPulled([wanted]);
    await cluster.gateway.api.stop(started.runtime_id);
    interrupted.interrupt();
    const { code, stderr } = await interrupted.result;
    expect([code, stderr]).toEqual([
      130,
      expect.stringMatching(/10 images taken back, 2 still being pulled/),
    ]);
    for (const name of names) registry.release(name);
    const again = await run(file, "--json");
    expect([again.code, documentOf(again).failed]).toEqual([0, 0]);
    expect(pullsOf(names)).toEqual(each(names, 1));
  });

  test("a replica that is killed is given its part again by the command that runs", async () => {
    const { names, file } = await makeList(16);
    const slow = names.at(-1) ?? "";
    registry.hold(slow);
    const running = start(file, "--json");
    const others = names.slice(0, -1);
    await untilHeld(others);
    for (const replica of cluster.replicas) {
      await replica.kill();
      await replica.restart();
    }
    await running.saw("is given again");
    registry.release(slow);
    const done = await running.result;
    expect(done.code).toBe(0);
    expect(documentOf(done)).toMatchObject({ images: 16, failed: 0 });
    // Only what was under way when it was killed is sent again.
    expect(pullsOf(others)).toEqual(each(others, 1));
  });
});

describe("remote-runtime prefetch, against a standalone server", () => {
  let server: StubServer;
  let env: Record<string, string>;

  beforeAll(async () => {
    server = await startStubServer();
    env = { REMOTE_RUNTIME_URL: server.url, SANDBOX_API_KEY: server.key };
  });
  afterAll(() => server[Symbol.asyncDispose]());

  test("--detach leaves it with the server; pins outlive the server's restart", async () => {
    const { names, file } = await makeList(3);
    const detached = await runCli(["prefetch", file, "--detach", "--pin"], env);
    expect([detached.code, detached.stdout]).toEqual([0, expect.stringContaining("goes on")]);
    await untilPulled(names);
    await server.restart();
    const { stdout } = await runCli(["pins", "--json"], env);
    expect(JSON.parse(stdout)).toMatchObject({
      pins: names.map((name) => ({ image: `${registry.host}/${name}:latest`, pinned_by: "alice" })),
    });
    expect((await runCli(["unpin", file], env)).stdout).toBe("3 images unpinned\n");
    expect((await runCli(["pins"], env)).stdout).toBe("no image is pinned\n");
  });

  test("--build builds what has its files there and is nowhere, and pulls the rest", async () => {
    const prefix = `localhost/openhands-test-prefetch-${randomBytes(4).toString("hex")}`;
    const { names, file } = await makeList(1);
    const contexts = join(folder, "contexts");
    for (const [name, dockerfile] of [
      ["org__one-1", "FROM scratch\nLABEL made=here\n"],
      ["org__two-2", "FROM scratch\nCOPY nothing /\n"],
    ] as const) {
      await mkdir(join(contexts, name), { recursive: true });
      await writeFile(join(contexts, name, "Dockerfile"), dockerfile);
    }
    await writeFile(file, `${registry.host}/${names[0]}:latest\norg__one-1\norg__two-2\n`);
    const args = ["prefetch", file, "--build", contexts, "--pattern", `${prefix}/{id_1776}:v1`];
    try {
      const first = await runCli(args, env);
      expect(first.code).toBe(1);
      expect(first.stdout).toMatch(/^1 image pulled \(\d.*\), 1 built, 1 failed, in /);
      expect(first.stderr).toMatch(/failed: \S+\/org_1776_two-2:v1 \(build\): .*nothing/);
      expect(pullsOf(names)).toEqual([1]);
      const second = await runCli(args, env);
      expect([second.code, second.stdout]).toEqual([
        1,
        expect.stringMatching(/^0 images pulled \(0 B\), 2 were there, 1 failed, in /),
      ]);
      expect(documentOf(await runCli([...args, "--json"], env))).toMatchObject({
        images: 3,
        held: 2,
        failed: 1,
        failures: [{ image: `${prefix}/org_1776_two-2:v1`, replica_id: null }],
      });
    } finally {
      await removeImages(prefix);
    }
  });

  test("stopped by Ctrl-C while it builds, the build goes on, and the same command finds it", async () => {
    const prefix = `localhost/openhands-test-prefetch-${randomBytes(4).toString("hex")}`;
    const base = `base-${randomBytes(4).toString("hex")}/image`;
    const from = registry.add(base);
    registry.hold(base);
    const contexts = join(folder, "slow-contexts");
    await mkdir(join(contexts, "one"), { recursive: true });
    await writeFile(join(contexts, "one", "Dockerfile"), `FROM ${from}\nLABEL made=here\n`);
    const file = join(folder, "slow-list");
    await writeFile(file, "one\n");
    const args = ["prefetch", file, "--pin", "--build", contexts, "--pattern", `${prefix}/{id}:v1`];
    try {
      const running = startCli(args, env);
      await until(
        () => registry.asked(base),
        (asked) => asked,
        { what: "the build's base being asked for" },
      );
      running.interrupt();
      const { code, stderr } = await running.result;
      expect([code, stderr]).toEqual([
        130,
        expect.stringMatching(
          /0 of 1 builds over, .*(1 build going on without|1 cut off while).*; what was pinned stays so/,
        ),
      ]);
      registry.release(base);
      const again = await runCli(args, env);
      expect([again.code, again.stdout]).toEqual([
        0,
        expect.stringMatching(/0 images pulled .*(1 built|1 was there)/),
      ]);
      expect(pullsOf([base])).toEqual([1]);
      expect((await runCli(["unpin", file, "--pattern", `${prefix}/{id}:v1`], env)).code).toBe(0);
    } finally {
      await removeImages(prefix);
    }
  });

  test("folders that lack a context are told before anything is pinned", async () => {
    const contexts = join(folder, "no-contexts");
    await mkdir(contexts);
    const file = join(folder, "no-context-list");
    await writeFile(file, "localhost/nowhere/one:v1\n");
    const { code, stderr } = await runCli(["prefetch", file, "--pin", "--build", contexts], env);
    expect([code, stderr]).toEqual([2, expect.stringContaining(`nothing in "${contexts}"`)]);
    expect((await runCli(["pins"], env)).stdout).toBe("no image is pinned\n");
  });
});
