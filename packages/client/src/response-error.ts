import { type ErrorCode, ServiceError, statusOf } from "@remote-runtime/protocol";
import { z } from "zod";

const MAX_MESSAGE_CHARACTERS = 1_000;

const CODES = {
  bad_request: true,
  unauthorized: true,
  forbidden: true,
  not_found: true,
  method_not_allowed: true,
  conflict: true,
  payload_too_large: true,
  too_many_requests: true,
  internal: true,
  disk_full: true,
  bad_gateway: true,
  unavailable: true,
  timeout: true,
} satisfies Record<ErrorCode, true>;

/** Either field has the text; servers of others fill one of them, or neither. */
const ErrorAnswer = z.object({ detail: z.string() }).or(z.object({ error: z.string() }));

/** An error answer as the error that it stands for, with the server's own text where it has one. */
export function serviceErrorOf(status: number, body: string, base: string): ServiceError {
  // The keys are all of ErrorCode, as the type of the table demands.
  const codes = Object.keys(CODES) as ErrorCode[];
  const code = codes.find((candidate) => statusOf(candidate) === status) ?? codeOfClass(status);
  const message = messageIn(body) ?? `${base} answered with status ${status}`;
  return new ServiceError(code, message.slice(0, MAX_MESSAGE_CHARACTERS));
}

/** Any other 4xx is about the request; what else is no success is not of this API. */
function codeOfClass(status: number): ErrorCode {
  return status >= 400 && status < 500 ? "bad_request" : "bad_gateway";
}

function messageIn(body: string): string | undefined {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    // A balancer's page: its status says enough.
    return undefined;
  }
  const answer = ErrorAnswer.safeParse(value);
  if (!answer.success) return undefined;
  return "detail" in answer.data ? answer.data.detail : answer.data.error;
}
