import type { EngineImage } from "@remote-runtime/image";
import { ServiceError } from "@remote-runtime/protocol";
import pLimit from "p-limit";
import { z } from "zod";
import { createBoundedMap } from "./bounded-map.ts";
import type { Docker } from "./create-docker.ts";
import { engineCall } from "./engine-call.ts";
import { imagePath } from "./image-path.ts";
import { isMark } from "./image-mark.ts";

const PARALLEL_INSPECTS = 8;
const MOST_COMMANDS = 10_000;

const Words = z
  .union([z.array(z.string()), z.string().transform((word) => [word])])
  .nullish()
  .transform((words) => words ?? []);
/** Without what says that there is none, and without our own marks. */
const Names = z
  .array(z.string())
  .nullish()
  .transform((names) => (names ?? []).filter((name) => !name.includes("<none>") && !isMark(name)));
const InspectedImage = z.object({
  Id: z.string(),
  RepoTags: Names,
  RepoDigests: Names,
  Size: z.number(),
  Created: z.string().nullish(),
  Config: z.object({ Entrypoint: Words, Cmd: Words }).nullish(),
});
const ListedImage = z.object({
  Id: z.string(),
  RepoTags: Names,
  RepoDigests: Names,
  Size: z.number(),
  Created: z.number(),
});

type Command = Pick<EngineImage, "entrypoint" | "command">;

export interface ImageReader {
  image(reference: string): Promise<EngineImage | undefined>;
  images(): Promise<EngineImage[]>;
}

/** Reads what the engine holds. An image's command never changes, so it is asked for once for each content id. */
export function createImageReader(docker: Docker): ImageReader {
  const commands = createBoundedMap<string, Command>(MOST_COMMANDS);

  async function image(reference: string): Promise<EngineImage | undefined> {
    const path = imagePath(reference);
    try {
      const { Id, RepoTags, RepoDigests, Size, Created, Config } = await engineCall(
        `image ${reference}`,
        async () => InspectedImage.parse(await docker.getImage(path).inspect()),
      );
      const command = { entrypoint: Config?.Entrypoint ?? [], command: Config?.Cmd ?? [] };
      commands.set(Id, command);
      const createdAt = Math.max(0, Date.parse(Created ?? "") || 0);
      return {
        id: Id,
        references: [...RepoTags, ...RepoDigests],
        sizeBytes: Size,
        createdAt,
        ...command,
      };
    } catch (error) {
      if (error instanceof ServiceError && error.code === "not_found") return undefined;
      throw error;
    }
  }

  return {
    image,
    async images() {
      const listed = await engineCall("list of images", async (abortSignal) =>
        z.array(ListedImage).parse(await docker.listImages({ abortSignal })),
      );
      const inTurn = pLimit(PARALLEL_INSPECTS);
      const found = await Promise.all(
        listed.map(async ({ Id, RepoTags, RepoDigests, Size, Created }) => {
          const command = commands.get(Id) ?? (await inTurn(() => image(Id)));
          // Removed since the list was made.
          if (!command) return undefined;
          const { entrypoint, command: words } = command;
          const references = [...RepoTags, ...RepoDigests];
          return {
            id: Id,
            references,
            sizeBytes: Size,
            createdAt: Created * 1000,
            entrypoint,
            command: words,
          };
        }),
      );
      return found.filter((one) => one !== undefined);
    },
  };
}
