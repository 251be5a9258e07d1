import { z } from "zod";
import { kindOf } from "./describe-issues.ts";
import { ServiceError } from "./error.ts";
import { shellWords } from "./shell-words.ts";

const MAX_IMAGE_CHARACTERS = 512;
const MAX_SESSION_ID_CHARACTERS = 4096;
const MAX_PATH_CHARACTERS = 4096;
const MAX_NAME_CHARACTERS = 256;
const MAX_INJECTED = 16;
const MAX_COMMAND_BYTES = 1024 * 1024;
/** A text is split into words in the request; what is longer can be sent as a list. */
const MAX_COMMAND_TEXT_CHARACTERS = 128 * 1024;
const MAX_ENVIRONMENT_ENTRIES = 4096;
const MAX_ENVIRONMENT_BYTES = 1024 * 1024;
/** The engine takes no larger user or group ids. */
const MAX_ID = 2 ** 31 - 1;

/** No argument, name or path of a process can hold a NUL. */
const NO_NUL = { error: "contains a NUL character" };
const withoutNul = (value: string): boolean => !value.includes("\0");

const text = (maxCharacters: number) => z.string().max(maxCharacters).refine(withoutNul, NO_NUL);

const withoutTrailingSlash = (path: string): string => path.replace(/(?<!^)\/+$/, "");

/** Some clients send an empty string for what they do not know. */
const optionalText = (maxCharacters: number) =>
  text(maxCharacters)
    .nullish()
    .transform((value) => (value === "" ? null : value));

/** A number, or a string that is one; an empty one counts as absent. */
const optionalNumber = z
  .union([z.number(), z.string()], {
    error: ({ input }) => `expected a number, got ${kindOf(input)}`,
  })
  .nullish()
  .transform((value, context) => {
    if (typeof value !== "string") return value;
    if (value.trim() === "") return null;
    const number = Number(value);
    if (Number.isFinite(number)) return number;
    context.addIssue({
      code: "custom",
      message: "expected a number, got a string that is not one",
    });
    return z.NEVER;
  });

const optionalSeconds = optionalNumber.refine((value) => (value ?? 0) >= 0, {
  error: "expected seconds, or 0 for never, got a negative number",
});

const optionalId = z.number().int().min(0).max(MAX_ID).nullish();

const Argument = z
  .union([z.string(), z.number()], {
    error: ({ input }) => `expected a string, got ${kindOf(input)}`,
  })
  .transform(String)
  .refine(withoutNul, NO_NUL);

const Command = z
  .union([text(MAX_COMMAND_TEXT_CHARACTERS), z.array(Argument)])
  .superRefine((command, context) => {
    const parts = typeof command === "string" ? [command] : command;
    if (bytesOf(parts) > MAX_COMMAND_BYTES) {
      context.addIssue({ code: "custom", message: `is larger than ${MAX_COMMAND_BYTES} bytes` });
    } else if (typeof command === "string") {
      const problem = splittingProblem(command);
      if (problem) context.addIssue({ code: "custom", message: problem });
    }
  });

/** Strings; numbers and booleans are written out, null and nested values refused. */
const Environment = z
  .record(
    z.string(),
    z
      .union([z.string(), z.number(), z.boolean()], {
        error: ({ input }) => `expected a string, got ${kindOf(input)}`,
      })
      .transform(String)
      .refine(withoutNul, NO_NUL),
  )
  .superRefine((environment, context) => {
    const entries = Object.entries(environment);
    if (entries.length > MAX_ENVIRONMENT_ENTRIES) {
      const message = `has more than ${MAX_ENVIRONMENT_ENTRIES} entries`;
      context.addIssue({ code: "custom", message });
      return;
    }
    if (bytesOf(entries.flat()) > MAX_ENVIRONMENT_BYTES) {
      const message = `is larger than ${MAX_ENVIRONMENT_BYTES} bytes`;
      context.addIssue({ code: "custom", message });
    }
    for (const [name] of entries) {
      if (/^[^=\0]+$/.test(name)) continue;
      const message = "a name must not be empty, nor hold = or a NUL character";
      context.addIssue({ code: "custom", path: [name], message });
    }
  });

/**
 * The body of /start as clients of all generations send it; only `image` is required, unknown fields are ignored, and
 * null is the same as absent. Parsing what was parsed changes nothing, so a gateway can pass it on.
 */
export const StartRequest = z.object({
  image: z.string().trim().min(1).max(MAX_IMAGE_CHARACTERS).refine(withoutNul, NO_NUL),
  command: Command.nullish(),
  working_dir: optionalText(MAX_PATH_CHARACTERS).refine((path) => path?.startsWith("/") ?? true, {
    error: "expected an absolute path",
  }),
  environment: Environment.nullish(),
  session_id: optionalText(MAX_SESSION_ID_CHARACTERS),
  /** V0 up to 0.13.0 sends the session's id under this name. */
  runtime_id: optionalText(MAX_SESSION_ID_CHARACTERS),
  resource_factor: optionalNumber,
  runtime_class: optionalText(MAX_NAME_CHARACTERS),
  run_as_user: optionalId,
  run_as_group: optionalId,
  fs_group: optionalId,
  image_pull_policy: z.enum(["Always", "IfNotPresent", "Never"]).nullish(),
  /** Extensions: seconds, 0 = never. */
  idle_timeout: optionalSeconds,
  max_age: optionalSeconds,
  /** Extension: paths of the server's INJECT to mount, none with an empty list. Absent: where its rule says so. */
  inject: z
    .array(
      text(MAX_PATH_CHARACTERS)
        .refine((path) => path.startsWith("/"), { error: "expected an absolute path" })
        .transform(withoutTrailingSlash),
    )
    .max(MAX_INJECTED)
    .nullish()
    .transform((paths) => paths && [...new Set(paths)]),
});
export type StartRequest = z.infer<typeof StartRequest>;

function bytesOf(parts: readonly string[]): number {
  // One more for the NUL that ends each.
  return parts.reduce((sum, part) => sum + Buffer.byteLength(part) + 1, 0);
}

function splittingProblem(command: string): string | undefined {
  try {
    shellWords(command);
    return undefined;
  } catch (error) {
    if (error instanceof ServiceError) return error.message;
    throw error;
  }
}
