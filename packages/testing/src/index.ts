export { pruneBuildCache } from "./prune-build-cache.ts";
export { startRedis, type TestRedis } from "./redis.ts";
export { ensureStubImage } from "./stub-image.ts";
export { startTinyRegistry, type TinyRegistry } from "./tiny-registry.ts";
