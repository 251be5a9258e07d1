export { createDockerfileFolder, type DockerfileFolder } from "./dockerfile-folder.ts";
export { postLargeBuild } from "./large-upload.ts";
export { pruneBuildCache } from "./prune-build-cache.ts";
export { startRedis, type TestRedis } from "./redis.ts";
export { ensureStubImage } from "./stub-image.ts";
export { tarHeader, type TarEntry } from "./tar-header.ts";
export { startTinyRegistry, type TinyRegistry } from "./tiny-registry.ts";
export { settleMemory } from "./settle-memory.ts";
export { watchMemory } from "./watch-memory.ts";
