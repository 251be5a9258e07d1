import { createDigestMarks } from "@remote-runtime/image";
import { randomUUID } from "node:crypto";
import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { afterEach, beforeEach, expect, it, onTestFinished } from "vitest";
// @boundaries-ignore the testing package depends on this one, and this file of it on nothing
import { startTinyRegistry } from "../../testing/src/tiny-registry.ts";
import { createDocker } from "./create-docker.ts";
import { directoryArchive } from "./directory-archive.ts";
import { createDockerDisk } from "./docker-disk.ts";
import { tagImage } from "./image-name.ts";
import { createImageReader } from "./image-reader.ts";

const docker = createDocker();
const disk = createDockerDisk({ docker, space: async () => undefined });
let name: string;
let id: string;

beforeEach(async () => {
  name = `remote-runtime/test-disk-${randomUUID().slice(0, 8)}`;
  const archive = directoryArchive([`made-for-${name.replace("/", "-")}`], { uid: 0, gid: 0 });
  const answer = await docker.importImage(Readable.from([archive]), { repo: name, tag: "1" });
  await text(answer);
  id = (await docker.getImage(`${name}:1`).inspect()).Id;
});

afterEach(async () => {
  const containers = await docker.listContainers({ all: true, filters: { ancestor: [id] } });
  for (const { Id } of containers) await docker.getContainer(Id).remove({ force: true });
  await removeImage(id);
});

async function removeImage(imageId: string): Promise<void> {
  await docker
    .getImage(imageId)
    .remove({ force: true })
    .catch((error: unknown) => {
      // The test has removed it.
      if (!String(error).includes("No such image")) throw error;
    });
}

const stored = async () => (await disk.stored()).find((image) => image.id === id);

it("mark() says that an image was brought, and when it was used last; readers of images do not see it", async () => {
  expect(await stored()).toMatchObject({ names: [`${name}:1`], isBrought: false });
  await disk.mark(id, `${name}:1`);
  const first = await disk.markedAt(id);
  expect(await stored()).toMatchObject({ names: [`${name}:1`], isBrought: true });
  expect(first).toBeGreaterThan(0);
  await disk.mark(id, `docker.io/${name}:1`);
  expect(await disk.markedAt(id)).toBeGreaterThan(first);
  const image = await createImageReader(docker).image(`${name}:1`);
  expect(image?.references).toEqual([`${name}:1`]);
});

it("mark() lets go of no image that was brought and whose tag was pulled anew", async () => {
  await using registry = await startTinyRegistry();
  const bring = async (layerBytes: number): Promise<string> => {
    const reference = registry.add("moved", { layerBytes });
    await text(await docker.pull(reference));
    const { Id } = await docker.getImage(reference).inspect();
    onTestFinished(() => removeImage(Id));
    await disk.mark(Id, reference);
    return Id;
  };
  const old = await bring(1_000);
  expect(await bring(2_000)).not.toBe(old);
  const image = (await disk.stored()).find((one) => one.id === old);
  const digest = expect.stringMatching(/\/moved@sha256:[0-9a-f]{64}$/);
  expect(image).toMatchObject({ names: [digest], isBrought: true });
  expect(image && (await disk.remove(image))).toBe("removed");
  expect((await disk.stored()).some((one) => one.id === old)).toBe(false);
});

it("stored() takes an image with a name of somebody else for theirs", async () => {
  await disk.mark(id, `${name}:1`);
  await docker.getImage(id).tag({ repo: name, tag: "theirs" });
  expect((await stored())?.isBrought).toBe(false);
  await disk.mark(id, `${name}:theirs`);
  expect((await stored())?.isBrought).toBe(true);
});

it("stored() tells digests that were marked, which nobody takes for names; remove() takes them away", async () => {
  const digest = `sha256:${randomUUID().replaceAll("-", "").repeat(2)}`;
  const engine = { tag: (reference: string, to: string) => tagImage(docker, reference, to) };
  await createDigestMarks({ engine, log: { warn: expect.fail } })(`${name}:1`, [digest]);
  const image = await stored();
  expect(image).toMatchObject({ names: [`${name}:1`], digests: [digest], isBrought: false });
  const seen = await createImageReader(docker).image(`${name}:1`);
  expect(seen?.references).toEqual([`${name}:1`]);
  expect(image && (await disk.remove(image))).toBe("removed");
  expect(await stored()).toBeUndefined();
});

it("remove() removes an image with all its names", async () => {
  await docker.getImage(id).tag({ repo: name, tag: "2" });
  for (const tag of ["1", "2"]) await disk.mark(id, `${name}:${tag}`);
  const image = await stored();
  expect(image && (await disk.remove(image))).toBe("removed");
  expect(await stored()).toBeUndefined();
  // Somebody else was faster.
  expect(image && (await disk.remove(image))).toBe("removed");
  expect(await disk.markedAt(id)).toBe(0);
});

it("remove() leaves an image with its names that a container has, though that never ran", async () => {
  await disk.mark(id, `${name}:1`);
  await docker.createContainer({ Image: id, Cmd: ["none"] });
  expect((await disk.inUse()).has(id)).toBe(true);
  const image = await stored();
  expect(image && (await disk.remove(image))).toBe("in use");
  expect(await stored()).toMatchObject({ names: [`${name}:1`], isBrought: true });
});
