export { adminRoutes, PlacementObject, ReplicaObject, type AdminRoutes } from "./admin-route.ts";
export { bearerOf } from "./bearer-of.ts";
export { BUILD_CONTEXT_PART, BuildForm } from "./build-form.ts";
export { BuildStatus } from "./build-route.ts";
export { describeIssues } from "./describe-issues.ts";
export { dialectOf } from "./dialect.ts";
export { errorBody, ServiceError, statusOf, type ErrorBody, type ErrorCode } from "./error.ts";
export {
  BASE_URL_HEADER,
  INSTANCE_HEADER,
  PLACEMENT_HEADER,
  ROOM_WAIT_HEADER,
  ROUTING_HEADER,
  UNCLAIMED_HEADER,
} from "./forwarding-header.ts";
export { newRuntimeId, replicaTagOf, RUNTIME_ID, tagOf } from "./id.ts";
export { openApiDocument, type OpenApiDocument } from "./openapi.ts";
export { fillPortPlaceholder } from "./port-placeholder.ts";
export { planFits } from "./plan-fits.ts";
export { prefetchIdOf } from "./prefetch-id.ts";
export {
  type ImageSizes,
  MOST_PREFETCH_FAILURES,
  MOST_PREFETCH_IMAGES,
  PrefetchObject,
  PrefetchPlan,
  PrefetchProgress,
  PrefetchShare,
  type ReplicaPrefetchRoutes,
  type UnknownSizes,
} from "./prefetch-route.ts";
export { replicaRoutes, type ReplicaRoutes } from "./replica-route.ts";
export { routes, type CallContext, type Handlers, type RouteName, type Routes } from "./route.ts";
export type { Route, RouteInput, RouteOutput } from "./route-shape.ts";
export { RuntimeObject } from "./runtime-object.ts";
export { shellWords } from "./shell-words.ts";
export { Dialect, RuntimeSpec, UrlForm } from "./spec.ts";
export { sessionIdOf, specOf } from "./spec-of.ts";
export { StartRequest } from "./start-request.ts";
