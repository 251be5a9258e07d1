import { randomUUID } from "node:crypto";
import { Readable } from "node:stream";
import { afterEach, expect, it } from "vitest";
import { createDocker } from "./create-docker.ts";
import { directoryArchive } from "./directory-archive.ts";
import { loadImage, saveImage } from "./image-archive.ts";
import { tagImage, untagImage } from "./image-name.ts";

const docker = createDocker();
const repo = `remote-runtime/test-archive-${randomUUID().slice(0, 8)}`;
const reference = `${repo}:1`;
const { signal: never } = new AbortController();

afterEach(async () => {
  const left = await docker.listImages({ filters: { reference: [repo] } });
  for (const { Id } of left) await docker.getImage(Id).remove({ force: true });
});

/** The archive of an image that the engine then has no more. */
async function archiveOfGone(): Promise<Buffer> {
  const files = Readable.from([directoryArchive([repo], { uid: 0, gid: 0 })]);
  const told = await docker.importImage(files, { repo, tag: "1" });
  for await (const _ of told);
  const chunks: Uint8Array[] = [];
  for await (const chunk of await saveImage(docker, reference, never)) chunks.push(chunk);
  await docker.getImage(reference).remove();
  return Buffer.concat(chunks);
}

const names = async (): Promise<string[]> =>
  (await docker.listImages({ filters: { reference: [repo] } })).flatMap(
    ({ RepoTags }) => RepoTags ?? [],
  );

it("loadImage() takes in what saveImage() gives, under its name", async () => {
  const archive = await archiveOfGone();
  expect(await names()).toEqual([]);
  await loadImage(docker, Readable.from([archive]), never);
  expect(await names()).toEqual([reference]);
});

it("loadImage() of an archive that breaks off, or ends too early, throws and leaves nothing", async () => {
  const archive = await archiveOfGone();
  const half = archive.subarray(0, archive.length / 2);
  async function* broken(): AsyncGenerator<Uint8Array> {
    yield half;
    throw new Error("the other side went away");
  }
  await expect(loadImage(docker, broken(), never)).rejects.toThrow(/the other side went away/);
  await expect(loadImage(docker, Readable.from([half]), never)).rejects.toThrow(/load of an image/);
  expect(await names()).toEqual([]);
});

it("saveImage() of what the engine does not hold is not_found", async () => {
  await expect(saveImage(docker, `${repo}:absent`, never)).rejects.toMatchObject({
    code: "not_found",
  });
});

it("tagImage() gives one more name, untagImage() takes one away", async () => {
  const archive = await archiveOfGone();
  await loadImage(docker, Readable.from([archive]), never);
  await tagImage(docker, reference, `${repo}:2`);
  expect((await names()).toSorted()).toEqual([reference, `${repo}:2`]);
  await untagImage(docker, reference);
  expect(await names()).toEqual([`${repo}:2`]);
  await expect(tagImage(docker, `${repo}:2`, `${repo}@sha256:0`)).rejects.toMatchObject({
    code: "bad_request",
  });
});
