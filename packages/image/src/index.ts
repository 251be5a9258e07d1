export type { BuildEngine, EngineBuild } from "./build-engine.ts";
export { createBuilds, type Builds, type BuildView } from "./builds.ts";
export { canonicalNames } from "./canonical-names.ts";
export { canonicalReference, familiarReference } from "./canonical-reference.ts";
export { decodeBuildContext } from "./decode-build-context.ts";
export type { DiskEngine, DiskSpace, StoredImage } from "./disk-engine.ts";
export {
  createDiskKeeper,
  type Count,
  type DiskFigures,
  type DiskKeeper,
  type DiskKeeperOptions,
} from "./disk-keeper.ts";
export type { DiskPolicy, EvictionScope } from "./disk-policy.ts";
export type { ImageDisk } from "./image-disk.ts";
export type { EngineImage, ImageEngine } from "./image-engine.ts";
export { createImageStore, type ImageStore, type PullPolicy } from "./image-store.ts";
export type { InjectEngine, InjectSource, InjectVolume, PathKind } from "./inject-engine.ts";
export { isWithin, parseInjectMappings, type InjectMapping } from "./inject-mapping.ts";
export { createInjectStore, type InjectStore, type Injection } from "./inject-store.ts";
export {
  inspectBuildContext,
  type BuildContext,
  type BuildContextLimits,
} from "./inspect-build-context.ts";
