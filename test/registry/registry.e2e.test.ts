import { rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { watchMemory } from "@remote-runtime/testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { acceptedBuild, contextOf, endedBuild } from "../build/build-client.ts";
import { runCli } from "../cli/cli.ts";
import type { Member } from "../cluster/member.ts";
import { call } from "../support/call.ts";
import { startOwnRegistry, type OwnRegistry } from "../support/own-registry.ts";
import { until } from "../support/until.ts";
import {
  AGENT_COMMAND,
  BASE_IMAGE,
  startEnginesCluster,
  type EnginesCluster,
} from "./own-engines.ts";

const user = { name: "ann", password: "it's $ecret" };
const MIB = 1024 * 1024;
let registry: OwnRegistry;
let all: EnginesCluster;
let prefix: string;

beforeAll(async () => {
  registry = await startOwnRegistry({ user });
  prefix = `${registry.address}/tests`;
  all = await startEnginesCluster({
    trusted: [registry.address],
    env: {
      REGISTRY: prefix,
      REGISTRY_USERNAME: user.name,
      REGISTRY_PASSWORD: user.password,
      REGISTRY_MIRRORS: `mirrored.test=${prefix}`,
    },
  });
});

afterAll(async () => {
  await all[Symbol.asyncDispose]();
  await registry[Symbol.asyncDispose]();
});

function replicas(): [Member, Member] {
  const [first, second] = all.cluster.replicas;
  if (!first || !second) throw new Error("two replicas");
  return [first, second];
}

async function build(member: Member, target: string, tags: string[] = []) {
  const where = { url: member.url, key: all.cluster.key };
  const Dockerfile = `FROM ${BASE_IMAGE}\nRUN echo ${target} > /built\n`;
  const context = await contextOf({ Dockerfile });
  const { build_id } = await acceptedBuild(where, { context, target, tags });
  const ended = await endedBuild(where, build_id);
  const log = await member.api.get(`/build_logs?build_id=${build_id}`);
  return { ...ended, log: log.text };
}

const exists = async ({ api }: Member, image: string): Promise<unknown> =>
  (await api.get(`/image_exists?image=${image}`)).json();

const Described = z.object({ digest: z.string(), size: z.number() });
const Manifest = z.object({ config: Described, layers: z.array(Described) });

async function manifestOf(tag: string): Promise<z.infer<typeof Manifest>> {
  const authorization = `Basic ${Buffer.from(`${user.name}:${user.password}`).toString("base64")}`;
  const accept = "application/vnd.docker.distribution.manifest.v2+json";
  const url = `http://${registry.local}/v2/tests/${all.marker}/manifests/${tag}`;
  return Manifest.parse((await call(url, { headers: { accept, authorization } })).json());
}

test("what one replica builds is in the registry under all its names, and another engine runs it", async () => {
  const [first, second] = replicas();
  const told = await all.cluster.gateway.api.get("/registry_prefix");
  expect(told.json()).toEqual({ registry_prefix: prefix });
  const [one, two] = [`${prefix}/${all.marker}:one`, `${prefix}/${all.marker}:two`];
  const built = await build(first, one, [two]);
  expect(built).toMatchObject({ status: "SUCCESS", image: one });
  expect(built.log).toContain(`=> pushed ${two}`);
  // The engine does not tell what is in a registry but that it is there.
  const image = { upload_time: expect.any(String), image_size_bytes: expect.any(Number) };
  expect(await exists(second, two)).toEqual({ exists: true, image, url: second.url });
  expect(await exists(second, `${prefix}/${all.marker}:no`)).toMatchObject({ exists: false });
  const ready = await second.api.startReady({
    image: two,
    command: AGENT_COMMAND,
    session_id: "pulled",
  });
  await second.api.stop(ready.runtime_id);
  expect(await all.engines[1].docker("image", "inspect", "--format", "{{.Id}}", two)).toBe(
    await all.engines[0].docker("image", "inspect", "--format", "{{.Id}}", two),
  );
});

test("an image comes from a mirror, and goes by the name that was asked for, or by its digest", async () => {
  const [, second] = replicas();
  const [engine, other] = all.engines;
  const name = `${all.marker}:one`;
  const format = "{{index .RepoDigests 0}}";
  const digests = await engine.docker("image", "inspect", "--format", format, `${prefix}/${name}`);
  const digest = digests.slice(digests.indexOf("@"));
  const asked = [`mirrored.test/${name}`, `mirrored.test/${all.marker}${digest}`];
  for (const image of asked) {
    expect(await exists(second, image)).toMatchObject({ exists: true });
    const ready = await second.api.startReady({ image, command: AGENT_COMMAND, session_id: image });
    await second.api.stop(ready.runtime_id);
  }
  const names = await other.docker("images", "--format", "{{.Repository}}:{{.Tag}}");
  expect(names.split("\n")).toContain(asked[0]);
  expect(names.split("\n")).not.toContain(`${prefix}/${name}`);
});

test("a start that spills over copies the image from the engine that alone has it", async () => {
  const [first, second] = replicas();
  const { api } = all.cluster.gateway;
  const image = `localhost/${all.marker}:local`;
  expect((await build(first, image)).status).toBe("SUCCESS");
  await until(
    async () => (await api.get(`/image_exists?image=${image}`)).text,
    (text) => text.includes("true"),
    { what: `${image} in the inventories` },
  );
  expect((await api.post(`/replicas/${first.id}/drain`, {})).status).toBe(200);
  const memory = await Promise.all([first, second].map(({ url }) => watchMemory(url)));
  const starting = api.startReady({ image, command: AGENT_COMMAND, session_id: "copied" });
  const [ready] = await Promise.allSettled([starting]);
  const grown = await Promise.all(memory.map((watch) => watch.end()));
  if (ready.status === "rejected") throw ready.reason;
  for (const bytes of grown) expect(bytes / MIB).toBeLessThan(60);
  expect(ready.value.url).toContain(second.url);
  expect(JSON.stringify(ready.value)).toContain("Pulled");
  await api.stop(ready.value.runtime_id);
  expect(await all.engines[1].docker("image", "inspect", "--format", "{{.Id}}", image)).toBe(
    await all.engines[0].docker("image", "inspect", "--format", "{{.Id}}", image),
  );
  expect((await api.post(`/replicas/${first.id}/undrain`, {})).status).toBe(200);
});

test("builds copy what they begin from off the engine that alone has it, once for all", async () => {
  const [, second] = replicas();
  const [engine, other] = all.engines;
  const held = await other.docker("images", "--quiet", BASE_IMAGE);
  expect(held).toBe("");
  const since = String(Date.now() / 1000);
  const targets = ["three", "four"].map((tag) => `localhost/${all.marker}:${tag}`);
  const built = await Promise.all(targets.map((target) => build(second, target)));
  expect(built.map(({ status }) => status)).toEqual(["SUCCESS", "SUCCESS"]);
  const logs = built.map(({ log }) => log).join("\n");
  expect(logs).toContain(`=> fetched base image docker.io/library/${BASE_IMAGE}`);
  const format = ["--format", "{{.Id}}"];
  expect(await other.docker("image", "inspect", ...format, BASE_IMAGE)).toBe(
    await engine.docker("image", "inspect", ...format, BASE_IMAGE),
  );
  const times = ["--since", since, "--until", String(Date.now() / 1000 + 1)];
  const loads = await other.docker("events", ...times, "--filter=event=load");
  expect(loads.split("\n")).toHaveLength(1);
});

test("a plan knows from a registry what images weigh that no engine holds, a shared layer once", async () => {
  const [first] = replicas();
  const tags = ["plan-a", "plan-b"];
  for (const tag of tags) {
    expect((await build(first, `${prefix}/${all.marker}:${tag}`)).status).toBe("SUCCESS");
  }
  const manifests = await Promise.all(tags.map(manifestOf));
  const parts = manifests.flatMap(({ config, layers }) => [config, ...layers]);
  const sizes = new Map(parts.map(({ digest, size }) => [digest, size]));
  // The layer of the base image, and one and a configuration of each.
  expect([parts.length, sizes.size]).toEqual([6, 5]);
  const total = [...sizes.values()].reduce((sum, size) => sum + size, 0);
  const images = [...tags, "plan-none"].map((tag) => `mirrored.test/${all.marker}:${tag}`);
  const file = join(tmpdir(), `plan-${all.marker}`);
  await writeFile(file, images.join("\n"));
  const { cluster } = all;
  const env = { REMOTE_RUNTIME_URL: cluster.gateway.url, SANDBOX_API_KEY: cluster.key };
  try {
    const { stdout } = await runCli(["prefetch", file, "--plan", "--json", "--copies", "2"], env);
    const reason = "mirrored.test does not answer (ENOTFOUND)";
    const plan = { images: 3, held: 0, missing_bytes: 0, compressed_bytes: total };
    const unknown = { unknown_sizes: 1, asking: 0, unknown_reasons: [{ reason, images: 1 }] };
    const each = { ...plan, ...unknown, fits: "unknown" };
    expect(JSON.parse(stdout)).toMatchObject({ replicas: [each, each] });
  } finally {
    await rm(file);
  }
});

test("a start of what a registry lacks has failed at once, with the registry's own words", async () => {
  const absent = `${prefix}/${all.marker}:absent`;
  const { api } = replicas()[0];
  const failed = await api.untilStatus(await api.start({ image: absent }), "error", 20_000);
  expect(failed).toMatchObject({
    verdict: "image_unavailable",
    status_detail: expect.stringMatching(new RegExp(`${absent}: .*(not found|unknown)`)),
  });
  await api.stop(failed.runtime_id);
});

test("a wrong password is the reason that builds, questions and starts give", async () => {
  const { cluster, engines, marker } = all;
  const wrong = { DOCKER_HOST: engines[0].url, REGISTRY_PASSWORD: "wrong" };
  const env = { REGISTRY: prefix, REGISTRY_USERNAME: user.name, ...wrong };
  const member = await cluster.addReplica("denied", {
    ...env,
    SANDBOX_NETWORK: "openhands-sandboxes",
  });
  await member.restart();
  try {
    const target = `${prefix}/${marker}:denied`;
    const built = await build(member, target);
    expect(built.status).toBe("INTERNAL_ERROR");
    expect(built.error).toMatch(/could not be pushed: push of .*:denied: unauthorized/);
    const absent = `${prefix}/${marker}:nobodys`;
    expect(await exists(member, absent)).toMatchObject({ exists: false });
    const started = await member.api.start({ image: absent, session_id: "denied" });
    const failed = await member.api.untilStatus(started, "error", 20_000);
    expect(failed).toMatchObject({
      verdict: "image_unavailable",
      status_detail: expect.stringContaining("unauthorized"),
    });
  } finally {
    await member.kill("SIGTERM");
  }
});

test("a registry that does not answer is waited for once, for seconds, and then is a no at once", async () => {
  const [first] = replicas();
  await registry.pause();
  try {
    const timed = async (name: string): Promise<number> => {
      const began = performance.now();
      expect(await exists(first, `${prefix}/${name}:1`)).toMatchObject({ exists: false });
      return performance.now() - began;
    };
    expect(await timed("unasked")).toBeLessThan(9_000);
    expect(await timed("unasked")).toBeLessThan(3_000);
    expect(await timed("other")).toBeLessThan(3_000);
  } finally {
    await registry.unpause();
  }
});
