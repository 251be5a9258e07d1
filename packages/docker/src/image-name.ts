import { ServiceError } from "@remote-runtime/protocol";
import type { Docker } from "./create-docker.ts";
import { engineCall } from "./engine-call.ts";
import { imagePath } from "./image-path.ts";

/** Gives an image one more name, which has a tag. */
export async function tagImage(docker: Docker, reference: string, name: string): Promise<void> {
  const colon = name.lastIndexOf(":");
  if (name.includes("@") || colon < name.lastIndexOf("/")) {
    throw new ServiceError("bad_request", `${name} has no tag, which an image is named by`);
  }
  const [repo, tag] = [name.slice(0, colon), name.slice(colon + 1)];
  await engineCall(`name ${name} for ${reference}`, (abortSignal) =>
    docker.getImage(imagePath(reference)).tag({ repo, tag, abortSignal }),
  );
}

/** Takes one of its names from an image. */
export async function untagImage(docker: Docker, name: string): Promise<void> {
  await engineCall(`end of the name ${name}`, () =>
    docker.getImage(imagePath(name)).remove({ noprune: true }),
  );
}
