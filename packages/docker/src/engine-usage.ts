import { z } from "zod";
import type { Docker } from "./create-docker.ts";
import { engineRequest } from "./engine-request.ts";

const Usage = z.object({
  LayersSize: z.number().nullish(),
  BuildCache: z
    .array(z.object({ Size: z.number(), Shared: z.boolean().nullish() }))
    .nullish()
    .transform((records) => records ?? []),
});

/** Bytes on an engine's disk: all layers, each once, and what the build cache has beside them. */
export type EngineUsage = { layerBytes: number; cacheBytes: number };

export async function engineUsage(docker: Docker): Promise<EngineUsage> {
  const what = "use of the engine's disk";
  // Containers and volumes would be measured file by file.
  const query = { type: ["image", "build-cache"] };
  const answer = await engineRequest(docker, { what, method: "GET", path: "/system/df", query });
  const { LayersSize, BuildCache } = Usage.parse(answer);
  const own = BuildCache.filter(({ Shared }) => Shared !== true);
  return { layerBytes: LayersSize ?? 0, cacheBytes: own.reduce((sum, { Size }) => sum + Size, 0) };
}
