import { envValue } from "./env-value.ts";

/** Settings of every server that takes the uploads of builds. */
export const buildUploadShape = {
  /** The gzipped archive of one build. */
  MAX_BUILD_CONTEXT_MIB: envValue.integer({ min: 1, max: 65_536, example: 512 }).default(512),
  BUILD_UPLOAD_TIMEOUT_SECONDS: envValue
    .seconds({ min: 1, max: 86_400, example: 300 })
    .default(300),
  /** Always kept free; a disk that has less than ten times as much keeps a tenth. */
  DISK_RESERVE_MIB: envValue.integer({ min: 0, max: 16_777_216, example: 1024 }).default(1024),
};
