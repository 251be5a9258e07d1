export { parseApiKeys, type ApiKey, type ApiKeysResult } from "./api-key.ts";
export { createApp, errorResponse, type App, type AppOptions } from "./app.ts";
export { authenticate } from "./authenticate.ts";
export { readJsonBody, type ReadBodyOptions } from "./body.ts";
export { createBufferRelief } from "./buffer-relief.ts";
export {
  createBuildUploads,
  type BuildReceiver,
  type BuildUploads,
  type ReceivedBuild,
} from "./build-uploads.ts";
export { buildUploadShape } from "./build-upload-shape.ts";
export { ConfigError } from "./config-error.ts";
export { envValue } from "./env-value.ts";
export { readEnvironment, type Environment, type ReadEnvironmentOptions } from "./env.ts";
export { exitOnConfigError } from "./exit-on-config-error.ts";
export { createKeyring, type Keyring } from "./keyring.ts";
export { listen, type Listening, type ListenOptions } from "./listen.ts";
export { type SandboxPlane } from "./dispatch.ts";
export { createLog, LOG_LEVELS, type Log, type LogLevel, type LogOptions } from "./log.ts";
export { createMetrics, type Metrics } from "./metrics.ts";
export { mountPages, type PagesOptions } from "./mount-pages.ts";
export { mountRoutes, type MountOptions, type StreamingHandlers } from "./mount.ts";
export { type QuickAnswers, type QuickHeaders, type QuickReader } from "./quick-answers.ts";
export { originOf, type Origin, type RequestHead } from "./request-origin.ts";
export { createShutdown, type Shutdown, type ShutdownOptions } from "./shutdown.ts";
export { streamAnswer } from "./stream-answer.ts";
