import { randomBytes } from "node:crypto";
import { mkdtempDisposable, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { docker } from "../support/docker.ts";
import { BASE_IMAGE } from "./own-engines.ts";

const LAYER_BYTES = 1024 * 1024;

/** Pushes the base image with one more layer, which is in the registry alone then. */
export async function pushLayered(image: string): Promise<void> {
  await using folder = await mkdtempDisposable(join(tmpdir(), "push-layered-"));
  await writeFile(join(folder.path, "layer"), randomBytes(LAYER_BYTES));
  const container = await docker("create", BASE_IMAGE, "true");
  try {
    await docker("cp", join(folder.path, "layer"), `${container}:/layer`);
    await docker("commit", container, image);
    await docker("push", "--quiet", image);
  } finally {
    await docker("rm", container);
    await docker("rmi", image).catch(() => undefined);
  }
}
