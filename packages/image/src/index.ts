export type { ArchiveEngine } from "./archive-engine.ts";
export { PULL_BACK_OFF, type Backoff } from "./backoff.ts";
export { createBaseBringer } from "./base-bringer.ts";
export type { BuildEngine, EngineBuild } from "./build-engine.ts";
export { createBuilds, type Builds, type BuildView } from "./builds.ts";
export { canonicalNames } from "./canonical-names.ts";
export { canonicalReference, familiarReference, MARK_REPOSITORY } from "./canonical-reference.ts";
export { decodeBuildContext, decodedContextBytes } from "./decode-build-context.ts";
export { createDigestMarks, digestOfMark, digestsIn, type MarkDigests } from "./digest-mark.ts";
export { createImageBringer } from "./image-bringer.ts";
export type { DiskEngine, DiskSpace, StoredImage } from "./disk-engine.ts";
export {
  createDiskKeeper,
  type Count,
  type DiskFigures,
  type DiskKeeper,
  type DiskKeeperOptions,
} from "./disk-keeper.ts";
export { reserveOf, type DiskPolicy, type EvictionScope } from "./disk-policy.ts";
export type { ImageDisk } from "./image-disk.ts";
export type { EngineImage, ImageEngine, OnPullProgress } from "./image-engine.ts";
export { createImageStore, type ImageStore, type PullPolicy } from "./image-store.ts";
export type {
  InjectEngine,
  InjectSource,
  InjectVolume,
  InRoom,
  PathKind,
} from "./inject-engine.ts";
export { isWithin, parseInjectMappings, type InjectMapping } from "./inject-mapping.ts";
export { createInjectStore, type InjectStore, type Injection } from "./inject-store.ts";
export type { ImagePart, ImageParts, ManifestReader } from "./manifest-reader.ts";
export type { Mirror } from "./mirror.ts";
export type { MirrorEngine } from "./mirror-engine.ts";
export { createPrefetches, type Prefetches, type PrefetchView } from "./prefetches.ts";
export type { PullLeases } from "./pull-leases.ts";
export { createPublishedImages, type PublishedImages } from "./published-images.ts";
export { createPublishedSizes, type PublishedSizes, type SizeSum } from "./published-sizes.ts";
export { createPublisher, type Publisher } from "./publisher.ts";
export type { RegistryEngine } from "./registry-engine.ts";
export { createRecent, type Recent } from "./recent.ts";
export { RegistryAwayError, RegistryBusyError } from "./registry-away-error.ts";
export { createRegistryPauses } from "./registry-pauses.ts";
export { createSharedPulls, type SharedPulls } from "./shared-pulls.ts";
export {
  inspectBuildContext,
  type BuildContext,
  type BuildContextLimits,
} from "./inspect-build-context.ts";
export type { CopyOutcome, Siblings } from "./siblings.ts";
