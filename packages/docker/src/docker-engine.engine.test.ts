import { randomUUID } from "node:crypto";
import type { ContainerPlan, Engine } from "@remote-runtime/runtime";
import { describeEngineContract } from "@remote-runtime/runtime/testing";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { CONTAINER_LABEL } from "./container-label.ts";
import { createDocker } from "./create-docker.ts";
import { discoverReach, isLocal } from "./discover-reach.ts";
import { createDockerEngine } from "./docker-engine.ts";
import { inspectSelf } from "./inspect-self.ts";
import type { Reach } from "./reach.ts";

const IMAGE = "debian:trixie-slim";
const NODE_IMAGE = "node:24-bookworm-slim";
const replicaId = `test-engine-${randomUUID().slice(0, 8)}`;
const network = replicaId;
const docker = createDocker();
const WAIT = { timeout: 30_000, interval: 50 };
let reach: Reach;

beforeAll(async () => {
  reach = await discoverReach(docker, { network, self: await inspectSelf(docker) });
});

afterAll(async () => {
  await removeAll();
  const self = await inspectSelf(docker);
  const joined = docker.getNetwork(network);
  if (reach.kind === "network" && self) await joined.disconnect({ Container: self.containerId });
  await joined.remove();
});

describeEngineContract("createDockerEngine()", async () => ({
  engine: engineWith(reach),
  image: IMAGE,
  replicaId,
  commandFor: (_id, work) =>
    work.kind === "stays"
      ? ["sleep", "300"]
      : [
          "sh",
          "-c",
          'printf "$0"; printf "$1" >&2; exit "$2"',
          work.stdout,
          work.stderr,
          String(work.exitCode),
        ],
  close: removeAll,
}));

describe("createDockerEngine() create()", () => {
  it("runs an init as process 1, and root may add users and change to them, but not make devices", async () => {
    const script = [
      "cat /proc/1/comm",
      "useradd --create-home someone && su someone -c 'id -un'",
      "mknod /tmp/zero c 1 5 2>/dev/null || echo no device",
    ].join("; ");
    expect(await outputOf({ command: ["sh", "-c", script] })).toBe(
      "docker-init\nsomeone\nno device\n",
    );
  });

  it("replaces ENTRYPOINT and CMD by a command, and puts appended arguments after the image's own", async () => {
    const image = await imageWith('ENTRYPOINT ["echo","entrypoint"]', 'CMD ["cmd"]');
    try {
      expect(await outputOf({ image, command: ["echo", "instead"] })).toBe("instead\n");
      expect(await outputOf({ image, appendArguments: ["--port", "60000"] })).toBe(
        "entrypoint cmd --port 60000\n",
      );
      expect(await outputOf({ image })).toBe("entrypoint cmd\n");
    } finally {
      await removeAll();
      await docker.getImage(image).remove();
    }
  });

  it("gives a missing working directory and its parents to the owner asked for, the second time as well", async () => {
    const plan = {
      workingDir: "/work space/project",
      user: "10001:10001",
      ownedDirectory: { path: "/work space/project", uid: 10001, gid: 10001 },
      command: ["sh", "-c", 'touch file && stat -c "%u:%g %a" . ..'],
    };
    const engine = engineWith(reach);
    const owned = "10001:10001 755\n10001:10001 755\n";
    expect(await outputOf(plan, engine)).toBe(owned);
    expect(await outputOf(plan, engine)).toBe(owned);
  });

  it("also gives the owner what the engine made beneath the directory", async () => {
    const plan = {
      workingDir: "/workspace/project",
      ownedDirectory: { path: "/workspace", uid: 3_000_000, gid: 7 },
      command: ["sh", "-c", 'stat -c "%u:%g" . ..'],
    };
    expect(await outputOf(plan)).toBe("3000000:7\n3000000:7\n");
  });

  it("leaves a directory that the image has as it is", async () => {
    const plan = {
      ownedDirectory: { path: "/var/tmp", uid: 10001, gid: 10001 },
      command: ["stat", "-c", "%u:%g %a", "/var/tmp"],
    };
    expect(await outputOf(plan)).toBe("0:0 1777\n");
    expect(await outputOf({ ...plan, workingDir: "/var/tmp" })).toBe("0:0 1777\n");
  });

  it("passes environment values on as they are", async () => {
    const environment = { A: "${HOME} $(id)\nsecond = line", EMPTY: "" };
    const plan = { environment, command: ["sh", "-c", 'printf "%s|%s" "$A" "${EMPTY-unset}"'] };
    expect(await outputOf(plan)).toBe("${HOME} $(id)\nsecond = line|");
  });
});

describe("createDockerEngine() reach", () => {
  const serve = 'require("http").createServer((_, a) => a.end("here")).listen(60000, "0.0.0.0")';

  it.each(["found", "published"])("leads to the agent's port when it is %s", async (kind) => {
    const engine = engineWith(kind === "found" ? reach : published());
    const id = await started(engine, { image: NODE_IMAGE, command: ["node", "-e", serve] });
    const sandbox = await engine.inspect(id);
    const { host, port } = sandbox?.endpoints.agent ?? { host: "", port: 0 };
    const answer = async (): Promise<string> => (await fetch(`http://${host}:${port}/`)).text();
    await vi.waitFor(async () => expect(await answer()).toBe("here"), WAIT);
    expect((await engine.list()).find((listed) => listed.id === id)).toEqual(sandbox);
  });

  it("is on IPv4 and IPv6 for a port of its own that is published on no address in particular", async () => {
    const options = { docker, reach, network, publishAddress: "", log: silent };
    const plan = { image: NODE_IMAGE, command: ["node", "-e", serve], hostPort: 0 };
    const id = await started(createDockerEngine(options), plan);
    const { NetworkSettings } = await docker.getContainer(id).inspect();
    const bindings = NetworkSettings.Ports["60000/tcp"] ?? [];
    const loopback: Record<string, string> = { "0.0.0.0": "127.0.0.1", "::": "[::1]" };
    // An engine on a machine without IPv6 has the other alone.
    const families = (await isLocal("::1")) ? ["0.0.0.0", "::"] : ["0.0.0.0"];
    expect(bindings.map(({ HostIp }) => HostIp).toSorted()).toEqual(families);
    for (const { HostIp, HostPort } of bindings) {
      const answer = async (): Promise<string> =>
        (await fetch(`http://${loopback[HostIp]}:${HostPort}/`)).text();
      await vi.waitFor(async () => expect(await answer()).toBe("here"), WAIT);
    }
  });
});

describe("createDockerEngine() start()", () => {
  it("makes the sandbox network again when something pruned it", async () => {
    const own = `${replicaId}-pruned`;
    const options = {
      docker,
      reach: published(),
      network: own,
      publishAddress: "127.0.0.1",
      log: silent,
    };
    const engine = createDockerEngine(options);
    const id = newId();
    await engine.create(planOf({ id, command: ["sleep", "300"] }));
    try {
      await engine.start(id);
      expect((await engine.inspect(id))?.state.kind).toBe("running");
    } finally {
      await engine.remove(id);
      await docker.getNetwork(own).remove();
    }
  });

  it("thaws a frozen sandbox, which counts as running", async () => {
    const engine = engineWith(reach);
    const id = await started(engine, { command: ["sleep", "300"] });
    await docker.getContainer(id).pause();
    expect((await engine.inspect(id))?.state.kind).toBe("running");
    await engine.start(id);
    expect((await docker.getContainer(id).inspect()).State.Paused).toBe(false);
  });

  it("says what is wrong when the program cannot be run", async () => {
    const id = newId();
    const engine = engineWith(reach);
    await engine.create(planOf({ id, user: "nobody-knows", command: ["true"] }));
    await expect(engine.start(id)).rejects.toMatchObject({
      code: "bad_request",
      message: expect.stringContaining("nobody-knows"),
    });
  });
});

describe("createDockerEngine() list()", () => {
  it("leaves out a container whose labels it cannot read, and says so once", async () => {
    const warnings: unknown[] = [];
    const options = { docker, reach, network, publishAddress: "127.0.0.1" };
    const engine = createDockerEngine({
      ...options,
      log: { warn: (fields) => warnings.push(fields) },
    });
    const name = newId();
    const labels = { [CONTAINER_LABEL.id]: name, [CONTAINER_LABEL.replica]: replicaId };
    await docker.createContainer({ name, Image: IMAGE, Cmd: ["true"], Labels: labels });
    expect((await engine.list()).filter(({ id }) => id === name)).toEqual([]);
    await engine.list();
    expect(warnings.filter((fields) => JSON.stringify(fields).includes(name))).toHaveLength(1);
    expect(await engine.inspect(name)).toBeUndefined();
  });
});

const silent = { warn: () => undefined };

function published(): Reach {
  return { kind: "published", dialHost: "127.0.0.1", bindAddress: "127.0.0.1" };
}

function engineWith(way: Reach): Engine {
  return createDockerEngine({
    docker,
    reach: way,
    network,
    publishAddress: "127.0.0.1",
    log: silent,
  });
}

/** What the process of a sandbox wrote before it ended. */
async function outputOf(
  changes: Partial<ContainerPlan>,
  engine: Engine = engineWith(reach),
): Promise<string> {
  const id = await started(engine, changes);
  const ended = async (): Promise<void> =>
    expect((await engine.inspect(id))?.state.kind).toBe("exited");
  await vi.waitFor(ended, WAIT);
  return engine.logs(id, 100);
}

async function started(engine: Engine, changes: Partial<ContainerPlan>): Promise<string> {
  const id = newId();
  await engine.create(planOf({ id, ...changes }));
  await engine.start(id);
  return id;
}

function planOf(changes: Partial<ContainerPlan> & { id: string }): ContainerPlan {
  return {
    replicaId,
    recordLabel: "{}",
    image: IMAGE,
    environment: {},
    groups: [],
    memoryBytes: 256 * 2 ** 20,
    cpuShares: 1024,
    pidsLimit: 64,
    ...changes,
  };
}

async function imageWith(...changes: string[]): Promise<string> {
  const { id } = await docker.createContainer({
    Image: IMAGE,
    Cmd: ["true"],
    Labels: { [CONTAINER_LABEL.replica]: replicaId },
  });
  await docker.getContainer(id).commit({ repo: `remote-runtime/${replicaId}`, tag: "1", changes });
  return `remote-runtime/${replicaId}:1`;
}

async function removeAll(): Promise<void> {
  const label = [`${CONTAINER_LABEL.replica}=${replicaId}`];
  const containers = await docker.listContainers({ all: true, filters: { label } });
  await Promise.all(
    containers.map(({ Id }) => docker.getContainer(Id).remove({ force: true, v: true })),
  );
}

function newId(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) =>
    String.fromCharCode(97 + (byte % 26)),
  ).join("");
}
