import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdtempDisposable, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import type { InjectSource, InRoom } from "@remote-runtime/image";
import { ServiceError } from "@remote-runtime/protocol";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import { createDocker } from "./create-docker.ts";
import { createDockerInject } from "./docker-inject.ts";
import { createInjectHelper } from "./inject-helper.ts";
import { volumeNameOf } from "./inject-volume.ts";

const BASE = "debian:trixie-slim";
const tag = `remote-runtime/test-inject-${randomUUID().slice(0, 8)}`;
const scope = tag;
const { signal } = new AbortController();
const docker = createDocker();
/** There is always room. */
const atOnce: InRoom = (copy) => copy();
let source: InjectSource;
let stockId: string;

beforeAll(async () => {
  // One of its own, or volumes of other runs would be found.
  await build(
    `FROM ${BASE}
RUN mkdir -p /tool/bin && echo ${tag} > /tool/bin/word && chown -R 7:8 /tool && ln -s bin/word /tool/link && head -c 4097 /dev/zero > /tool/large && touch /file
VOLUME /data
ENTRYPOINT []
CMD []`,
  );
  source = { path: "/tool", imageId: (await docker.getImage(tag).inspect()).Id };
  stockId = (await docker.getImage(BASE).inspect()).Id;
  return () => docker.getImage(tag).remove({ force: true });
});

afterEach(async () => {
  const name = volumeNameOf(source, scope);
  await run("docker", ["rm", "--force", "--volumes", name]);
  await run("docker", ["volume", "rm", "--force", name]);
});

describe("pathKind()", () => {
  it("tells directories, other things and nothing apart, and leaves no container or volume behind", async () => {
    const before = await anonymousVolumes();
    const inject = createDockerInject({ scope, signal, docker });
    const kindOf = (path: string) => inject.pathKind({ ...source, path });
    const kinds = await Promise.all(["/tool", "/file", "/tool/link", "/absent"].map(kindOf));
    expect(kinds).toEqual(["directory", "other", "other", "absent"]);
    await expect.poll(helpersOfSource, { timeout: 10_000 }).toEqual([]);
    expect((await anonymousVolumes()).filter((name) => !before.includes(name))).toEqual([]);
  });

  it("asks the engine once for each image and path", async () => {
    let created = 0;
    const counting = createDocker();
    const { createContainer } = counting;
    Reflect.set(counting, "createContainer", (...given: unknown[]) => {
      created += 1;
      return Reflect.apply(createContainer, counting, given);
    });
    const inject = createDockerInject({ scope, signal, docker: counting });
    await Promise.all(Array.from({ length: 8 }, () => inject.pathKind(source)));
    await inject.pathKind(source);
    expect(created).toBe(1);
  });

  it("fails for an image that is not there, and asks again the next time", async () => {
    const inject = createDockerInject({ scope, signal, docker });
    const absent = { path: "/tool", imageId: `sha256:${"0".repeat(64)}` };
    await expect(inject.pathKind(absent)).rejects.toMatchObject({ code: "not_found" });
    await expect(inject.pathKind(absent)).rejects.toMatchObject({ code: "not_found" });
  });
});

describe("sizeOf()", () => {
  it("counts each file in whole blocks, and a block for everything else", async () => {
    const inject = createDockerInject({ scope, signal, docker });
    // Two directories, a link, and two files, of one byte more than a block and of a few.
    expect(await inject.sizeOf(source)).toBe(6 * 4096);
    await expect.poll(helpersOfSource, { timeout: 10_000 }).toEqual([]);
  });
});

describe("ensureVolume()", () => {
  it("makes one volume for several processes at once, with owners and links, which a sandbox cannot write", async () => {
    const processes = Array.from({ length: 4 }, () =>
      createDockerInject({ scope, signal, docker }),
    );
    const names = await Promise.all(processes.map((inject) => inject.ensureVolume(source, atOnce)));
    const name = volumeNameOf(source, scope);
    expect(names).toEqual([name, name, name, name]);
    expect(await volumesOfSource()).toEqual([{ ...source, name }]);
    const script = "cat /tool/link; stat -c %u:%g /tool/bin; touch /tool/new || echo read-only";
    const mounted = ["--mount", `type=volume,source=${name},target=/tool,readonly`];
    expect(await printedBy([...mounted, BASE, "sh", "-c", script])).toBe(
      `${tag}\n7:8\nread-only\n`,
    );
    expect(await helpersOfSource()).toEqual([]);
  });

  it("finds the volume of an earlier process, and copies nothing", async () => {
    const name = await createDockerInject({ scope, signal, docker }).ensureVolume(source, atOnce);
    const made = await docker.getVolume(name).inspect();
    await appendTo(name);
    expect(await createDockerInject({ scope, signal, docker }).ensureVolume(source, atOnce)).toBe(
      name,
    );
    expect(await docker.getVolume(name).inspect()).toEqual(made);
    expect(await wordIn(name)).toBe(`${tag}\nmore\n`);
  });

  it("makes anew what was removed since", async () => {
    const inject = createDockerInject({ scope, signal, docker });
    const name = await inject.ensureVolume(source, atOnce);
    expect(await inject.removeVolume(name)).toBe(true);
    await inject.ensureVolume(source, atOnce);
    expect(await wordIn(name)).toBe(`${tag}\n`);
  });

  it.each([
    ["was killed in the middle of its copy", true],
    ["only asked for the volume by its name", false],
  ])("makes anew what someone left who %s", async (_, isOurs) => {
    const name = volumeNameOf(source, scope);
    const labels = ["--label", "openhands.runtime.inject.path=/tool"];
    await run("docker", ["volume", "create", ...(isOurs ? labels : []), name]);
    await appendTo(name);
    await createDockerInject({ scope, signal, docker }).ensureVolume(source, atOnce);
    expect(await wordIn(name)).toBe(`${tag}\n`);
  });

  it("waits for another process's copy, and takes over when that process is dead", async () => {
    const name = volumeNameOf(source, scope);
    const helper = createInjectHelper(docker);
    const labels = { "openhands.runtime.inject.path": "/tool" };
    const volume = { name, path: "/tool", labels, fill: true };
    const abandoned = await helper.create({ imageId: source.imageId, name, volume });
    // Each look at the time is three seconds later than the one before.
    let time = Date.now();
    const inject = createDockerInject({ scope, signal, docker, now: () => (time += 3_000) });
    await inject.ensureVolume(source, atOnce);
    expect(await helper.find(String(abandoned))).toBeUndefined();
    expect(await wordIn(name)).toBe(`${tag}\n`);
  });
});

describe("ensureVolume() where there is no room", () => {
  const full = new ServiceError("disk_full", "no room");
  const refuse: InRoom = () => Promise.reject(full);

  it("copies nothing, but takes what is there", async () => {
    const inject = createDockerInject({ scope, signal, docker });
    await expect(inject.ensureVolume(source, refuse)).rejects.toBe(full);
    expect(await volumesOfSource()).toEqual([]);
    const name = await inject.ensureVolume(source, atOnce);
    const restarted = createDockerInject({ scope, signal, docker });
    expect(await restarted.ensureVolume(source, refuse)).toBe(name);
  });

  it.each([
    ["a part", true],
    ["all", false],
  ])(
    "takes nothing for its own copy that has come while it waited: %s of it",
    async (_, isPart) => {
      const name = volumeNameOf(source, scope);
      let copies = 0;
      const late: InRoom = async (copy) => {
        copies += 1;
        if (copies > 1) return copy();
        if (isPart) {
          const label = ["--label", "openhands.runtime.inject.path=/tool"];
          await run("docker", ["volume", "create", ...label, name]);
        } else await createDockerInject({ scope, signal, docker }).ensureVolume(source, atOnce);
        return copy();
      };
      await createDockerInject({ scope, signal, docker }).ensureVolume(source, late);
      expect([copies, await wordIn(name)]).toEqual([isPart ? 2 : 1, `${tag}\n`]);
    },
  );

  it.each([
    ["a part", true],
    ["nothing", false],
  ])("removes a volume that has %s of its content", async (_, hasSome) => {
    const name = volumeNameOf(source, scope);
    const label = ["--label", "openhands.runtime.inject.path=/tool"];
    await run("docker", ["volume", "create", ...label, name]);
    if (hasSome) await appendTo(name);
    const inject = createDockerInject({ scope, signal, docker });
    await expect(inject.ensureVolume(source, refuse)).rejects.toBe(full);
    expect(await run("docker", ["volume", "ls", "--quiet", "--filter", `name=${name}`])).toBe("");
  });
});

describe("ensureVolume() when the process ends", () => {
  it("waits no longer, and another process makes the volume", async () => {
    const ending = new AbortController();
    const inject = createDockerInject({ docker, scope, signal: ending.signal });
    const making = inject.ensureVolume(source, atOnce);
    ending.abort();
    await expect(making).rejects.toThrow();
    // The engine may have gone on with the creation, or not have begun: both are mended.
    let time = Date.now();
    const later = createDockerInject({ docker, scope, signal, now: () => (time += 3_000) });
    expect(await wordIn(await later.ensureVolume(source, atOnce))).toBe(`${tag}\n`);
  });
});

describe("removeVolume()", () => {
  it("leaves what a container has, even one that does not run, and takes what is gone for done", async () => {
    const inject = createDockerInject({ scope, signal, docker });
    const name = await inject.ensureVolume(source, atOnce);
    const mount = `type=volume,source=${name},target=/tool,readonly`;
    const container = (await run("docker", ["create", "--mount", mount, BASE, "true"])).trim();
    expect(await inject.removeVolume(name)).toBe(false);
    await run("docker", ["rm", container]);
    expect(await inject.removeVolume(name)).toBe(true);
    expect(await inject.removeVolume(name)).toBe(true);
    expect(await volumesOfSource()).toEqual([]);
  });
});

describe("clean()", () => {
  it("removes what was left behind an hour ago, and nothing younger", async () => {
    const helper = createInjectHelper(docker);
    const id = String(await helper.create({ imageId: source.imageId }));
    await createDockerInject({ scope, signal, docker }).clean();
    expect(await helper.find(id)).toBe(id);
    // Those of other processes would look old as well, so that only this one is in the list.
    const later = createDocker();
    const { listContainers } = later;
    const only = { all: true, filters: { id: [id] } };
    Reflect.set(later, "listContainers", () => Reflect.apply(listContainers, later, [only]));
    await createDockerInject({
      scope,
      signal,
      docker: later,
      now: () => Date.now() + 3_700_000,
    }).clean();
    expect(await helper.find(id)).toBeUndefined();
  });
});

describe("a stock image", () => {
  it("lacks the path, and the image with the path has it", async () => {
    const inject = createDockerInject({ scope, signal, docker });
    expect(await inject.pathKind({ path: "/tool", imageId: stockId })).toBe("absent");
    expect(await inject.pathKind(source)).toBe("directory");
  });
});

async function volumesOfSource() {
  const all = await createDockerInject({ scope, signal, docker }).volumes();
  return all.filter(({ imageId }) => imageId === source.imageId);
}

async function helpersOfSource(): Promise<string[]> {
  const filters = { ancestor: [tag], label: ["openhands.runtime.inject.helper"] };
  return (await docker.listContainers({ all: true, filters })).map(({ Id }) => Id);
}

async function anonymousVolumes(): Promise<string[]> {
  const printed = await run("docker", ["volume", "ls", "--quiet"]);
  return printed.split("\n").filter((name) => /^[0-9a-f]{64}$/.test(name));
}

async function wordIn(volume: string): Promise<string> {
  return printedBy(["--volume", `${volume}:/v`, BASE, "cat", "/v/bin/word"]);
}

/** From its log, as whoever is attached to a short life may miss the end of it. */
async function printedBy(options: string[]): Promise<string> {
  const id = (await run("docker", ["run", "--detach", ...options])).trim();
  await run("docker", ["wait", id]);
  const printed = await run("docker", ["logs", id]);
  await run("docker", ["rm", id]);
  return printed;
}

async function appendTo(volume: string): Promise<void> {
  const script = "mkdir -p /v/bin && echo more >> /v/bin/word";
  await run("docker", ["run", "--rm", "--volume", `${volume}:/v`, BASE, "sh", "-c", script]);
}

async function build(dockerfile: string): Promise<void> {
  await using folder = await mkdtempDisposable(join(tmpdir(), "remote-runtime-dockerfile-"));
  await writeFile(join(folder.path, "Dockerfile"), dockerfile);
  await promisify(execFile)("docker", ["build", "--quiet", "--tag", tag, folder.path]);
}

/** What the command printed; its failure is told by what it printed on the other stream. */
async function run(command: string, words: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(command, words, { timeout: 60_000 });
  return stdout;
}
