import { AGENT_COMMAND, BASE_IMAGE } from "../registry/own-engines.ts";
import type { Api } from "../support/api.ts";
import { docker } from "../support/docker.ts";
import { startOwnEngine, type OwnEngine } from "../support/own-engine.ts";
import { stubStart, type StartBody } from "../support/stub-start.ts";
import { startImageSource, type ImageSource } from "./image-source.ts";
import { watchDisk, type DiskWatch } from "./watch-disk.ts";

/** Size of the disk, in MiB. Beside the base image and below the high mark there is room for six images. */
export const DISK_MIB = 340;
const IMAGE_MIB = 18;
const AT_ONCE = 2;

/** An engine on a small disk of its own, and images for it of which each takes a good part of that. */
export interface SmallDisk extends AsyncDisposable {
  readonly engine: OwnEngine;
  readonly source: ImageSource;
  readonly watch: DiskWatch;
  /** Settings of a replica that has this engine. */
  readonly env: Readonly<Record<string, string>>;
  /** Name of an image of the usual size. */
  reference(name: string): string;
  /** Tags that the engine has. */
  held(): Promise<string[]>;
}

export async function startSmallDisk(): Promise<SmallDisk> {
  const resources = new AsyncDisposableStack();
  try {
    const format = "{{range .IPAM.Config}}{{.Gateway}}{{end}}";
    const gateway = await docker("network", "inspect", "--format", format, "bridge");
    const source = resources.use(await startImageSource(BASE_IMAGE, gateway));
    const trust = ["--insecure-registry", "0.0.0.0/0"];
    const engine = resources.use(await startOwnEngine({ diskMib: DISK_MIB, arguments: trust }));
    const watch = resources.use(watchDisk(engine.dataRoot));
    return {
      engine,
      source,
      watch,
      env: {
        DOCKER_HOST: engine.url,
        EVICT_IMAGES: "brought",
        SANDBOX_REACH: "published",
        // Room for what two pulls write while images are removed for them, as there is on a disk of a usual size.
        DISK_HIGH_PERCENT: "70",
        DISK_LOW_PERCENT: "60",
      },
      reference: (name) => source.reference(name, IMAGE_MIB),
      held: async () =>
        (await engine.docker("images", "--format", "{{.Repository}}:{{.Tag}}")).split("\n"),
      [Symbol.asyncDispose]: () => resources.disposeAsync(),
    };
  } catch (error) {
    await resources.disposeAsync();
    throw error;
  }
}

/** Body of a /start of an image over the base image. */
export function agentStart(image: string, fields: Partial<StartBody> = {}): StartBody {
  return stubStart(image, { command: AGENT_COMMAND, ...fields });
}

/** Starts one runtime of each image, two at once, and stops it when it is ready; returns where they ran. */
export async function useImages(api: Api, images: readonly string[]): Promise<Set<string>> {
  const left = [...images];
  const origins = new Set<string>();
  const worker = async (): Promise<void> => {
    for (let image = left.shift(); image !== undefined; image = left.shift()) {
      const { runtime_id: id, url } = await api.startReady(agentStart(image));
      await api.stop(id);
      origins.add(new URL(url).origin);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return origins;
}
