import type {
  ArchiveEngine,
  BuildEngine,
  MirrorEngine,
  RegistryEngine,
} from "@remote-runtime/image";
import type { Engine, Log } from "@remote-runtime/runtime";
import { createContainerLife } from "./container-life.ts";
import { containerNamed } from "./container-name.ts";
import type { Docker } from "./create-docker.ts";
import { engineCall } from "./engine-call.ts";
import { createEngineFacts } from "./engine-facts.ts";
import { watchEvents } from "./event-watch.ts";
import { loadImage, saveImage } from "./image-archive.ts";
import { buildImage } from "./image-build.ts";
import { isImagePublished } from "./image-distribution.ts";
import { tagImage, untagImage } from "./image-name.ts";
import { pullImage } from "./image-pull.ts";
import { pushImage } from "./image-push.ts";
import { createImageReader } from "./image-reader.ts";
import { logTail } from "./log-tail.ts";
import { pingEngine } from "./ping-engine.ts";
import type { Reach } from "./reach.ts";
import type { CredentialSource } from "./registry-credential.ts";
import { createSandboxReader } from "./sandbox-reader.ts";

export type DockerEngineOptions = {
  docker: Docker;
  /** How this process dials sandboxes; `discoverReach` finds it. */
  reach: Reach;
  /** Name of the network that sandboxes are put in; it exists. */
  network: string;
  /** Address of the engine's host that a runtime's own port is published on; "": all of IPv4 and IPv6. */
  publishAddress: string;
  log: Pick<Log, "warn">;
  /** Default: what `docker login` left in `~/.docker/config.json`. */
  credentials?: CredentialSource;
  /** Milliseconds since the epoch. Default: the system's clock. */
  now?: () => number;
};

/** All that is needed of an engine. */
export type DockerEngine = Engine & BuildEngine & RegistryEngine & MirrorEngine & ArchiveEngine;

/** The engine behind `docker`. */
export function createDockerEngine(options: DockerEngineOptions): DockerEngine {
  const { docker, reach, network, publishAddress, log, credentials = {}, now = Date.now } = options;
  const facts = createEngineFacts(docker);
  const images = createImageReader(docker);
  const image = (reference: string): ReturnType<Engine["image"]> => images.image(reference);

  return {
    describe: async () => (await facts.fresh()).description,
    ...createSandboxReader({ docker, reach, network, log }),
    ...createContainerLife({ docker, reach, network, publishAddress, facts, image }),
    async logs(id, lines) {
      const framed = await engineCall(`logs of ${id}`, (abortSignal) =>
        containerNamed(docker, id).logs({ stdout: true, stderr: true, tail: lines, abortSignal }),
      );
      return logTail(framed);
    },
    image,
    images: () => images.images(),
    pull: (reference, onProgress, signal) =>
      pullImage({ docker, reference, onProgress, signal, credentials, now }),
    save: (reference, signal) => saveImage(docker, reference, signal),
    load: (archive, signal) => loadImage(docker, archive, signal),
    tag: (reference, name) => tagImage(docker, reference, name),
    untag: (name) => untagImage(docker, name),
    push: (reference, onProgress, signal) =>
      pushImage({ docker, reference, onProgress, signal, credentials, now }),
    isPublished: (reference, signal) =>
      isImagePublished(reference, { docker, credentials, signal }),
    build: (build) => buildImage({ ...build, docker, credentials }),
    async publishedPorts() {
      const running = await engineCall("list of ports", (abortSignal) =>
        docker.listContainers({ abortSignal }),
      );
      return new Set(
        running.flatMap(({ Ports }) =>
          Ports.flatMap(({ PublicPort }) => (PublicPort ? [PublicPort] : [])),
        ),
      );
    },
    watch: (onEvent, signal) => void watchEvents({ docker, onEvent, signal, log, now }),
    ping: () => pingEngine(docker),
  };
}
