import { mkdtempDisposable, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A build context of nothing but a Dockerfile, which goes when it is disposed of. */
export interface DockerfileFolder extends AsyncDisposable {
  readonly path: string;
}

/** Writes one. With the text on stdin (`docker build -`) buildx leaves two folders behind with each build. */
export async function createDockerfileFolder(text: string): Promise<DockerfileFolder> {
  const folder = await mkdtempDisposable(join(tmpdir(), "remote-runtime-dockerfile-"));
  await writeFile(join(folder.path, "Dockerfile"), text);
  return folder;
}
