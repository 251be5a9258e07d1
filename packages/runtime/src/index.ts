export type { AdmissionLimits } from "./admission.ts";
export { systemClock, type Clock } from "./clock.ts";
export { SANDBOX_PORT } from "./engine.ts";
export type {
  ContainerPlan,
  Endpoint,
  Engine,
  EngineDescription,
  EngineEvent,
  Mount,
  Sandbox,
  SandboxService,
} from "./engine.ts";
export type { Estate } from "./inheritance.ts";
export type { Log } from "./log.ts";
export { createLull } from "./lull.ts";
export { sessionKeyOf } from "./plan/environment.ts";
export {
  createRuntimes,
  type Runtimes,
  type RuntimesOptions,
  type SandboxRoute,
} from "./runtimes.ts";
export type { StartOrder } from "./starter.ts";
export { createSuccession } from "./succession.ts";
export { runtimeUrl, urlFormOf, type PublicAddress, type UrlPolicy } from "./url.ts";
export { holdsCompute, isLive, viewOf } from "./view.ts";
