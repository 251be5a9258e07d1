import { ServiceError } from "@remote-runtime/protocol";
import type { Docker } from "./create-docker.ts";
import { engineCall } from "./engine-call.ts";
import { imagePath } from "./image-path.ts";

/** Gives an image its other name, and takes the first one away. */
export async function renameImage(docker: Docker, from: string, to: string): Promise<void> {
  const colon = to.lastIndexOf(":");
  if (to.includes("@") || colon < to.lastIndexOf("/")) {
    throw new ServiceError("bad_request", `${to} has no tag, which an image is named by`);
  }
  const [repo, tag] = [to.slice(0, colon), to.slice(colon + 1)];
  await engineCall(`name ${to} for ${from}`, (abortSignal) =>
    docker.getImage(imagePath(from)).tag({ repo, tag, abortSignal }),
  );
  await engineCall(`end of the name ${from}`, () =>
    docker.getImage(imagePath(from)).remove({ noprune: true }),
  );
}
