import { randomUUID } from "node:crypto";
import { createDockerfileFolder } from "@remote-runtime/testing";
import { runCommand } from "../real-image/run-command.ts";

const BUILD_DEADLINE_MS = 10 * 60_000;

/** An image for one test, which goes with its volume when it is disposed of. */
export interface InjectImage extends AsyncDisposable {
  readonly tag: string;
  /** Content id. */
  readonly id: string;
}

export type BuildOptions = {
  /** Default: the last one. */
  target?: string;
  args?: Readonly<Record<string, string>>;
};

/** Builds a Dockerfile without a folder of files. */
export async function buildInjectImage(
  dockerfile: string,
  { target, args = {} }: BuildOptions = {},
): Promise<InjectImage> {
  const tag = `openhands-test/inject-${randomUUID().slice(0, 8)}:1`;
  await using folder = await createDockerfileFolder(dockerfile);
  const words = [
    "build",
    `--tag=${tag}`,
    ...(target === undefined ? [] : [`--target=${target}`]),
    ...Object.entries(args).map(([name, value]) => `--build-arg=${name}=${value}`),
    folder.path,
  ];
  const signal = AbortSignal.timeout(BUILD_DEADLINE_MS);
  const build = await runCommand("docker", words, { signal });
  if (build.exitCode !== 0) throw new Error(`${tag}: the build failed\n${build.tail}`);
  const id = await printed("image", "inspect", "--format", "{{.Id}}", tag);
  return {
    tag,
    id,
    async [Symbol.asyncDispose]() {
      for (const volume of await volumesOf(id)) await printed("volume", "rm", volume);
      await printed("image", "rm", "--force", tag);
    },
  };
}

/** Names of the volumes that hold paths of this image, on the whole engine or with this sandbox network. */
export async function volumesOf(imageId: string, network?: string): Promise<string[]> {
  const filters = [`label=openhands.runtime.inject.image=${imageId}`];
  if (network !== undefined) filters.push(`label=openhands.runtime.inject.scope=${network}`);
  const words = filters.flatMap((filter) => ["--filter", filter]);
  const names = await printed("volume", "ls", "--quiet", ...words);
  return names === "" ? [] : names.split("\n");
}

async function printed(...words: string[]): Promise<string> {
  const { exitCode, stdout, tail } = await runCommand("docker", words, {
    signal: AbortSignal.timeout(60_000),
  });
  if (exitCode !== 0) throw new Error(`docker ${words.join(" ")}: ${tail}`);
  return stdout.trim();
}
