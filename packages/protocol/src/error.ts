/** What went wrong, in words that map to one HTTP status each (`statusOf`). */
export type ErrorCode =
  | "bad_request"
  | "unauthorized"
  | "forbidden"
  | "not_found"
  | "method_not_allowed"
  | "conflict"
  | "payload_too_large"
  | "too_many_requests"
  | "internal"
  | "disk_full"
  | "bad_gateway"
  | "unavailable"
  | "timeout";

const STATUS: Record<ErrorCode, number> = {
  bad_request: 400,
  unauthorized: 401,
  forbidden: 403,
  not_found: 404,
  method_not_allowed: 405,
  conflict: 409,
  payload_too_large: 413,
  too_many_requests: 429,
  internal: 500,
  // Insufficient Storage.
  disk_full: 507,
  bad_gateway: 502,
  unavailable: 503,
  timeout: 504,
};

/** The one error that is thrown on purpose. Its message is shown to callers: it says what is wrong, with what. */
export class ServiceError extends Error {
  override readonly name = "ServiceError";
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }

  /** Any thrown value as a ServiceError; what is not one already becomes `internal`. */
  static from(error: unknown): ServiceError {
    if (error instanceof ServiceError) return error;
    return new ServiceError("internal", "internal error; the server's log has the cause", {
      cause: error,
    });
  }
}

export function statusOf(code: ErrorCode): number {
  return STATUS[code];
}

/** Every error body of the API: an object with the text twice, as clients read either field. */
export type ErrorBody = { detail: string; error: string };

export function errorBody(message: string): ErrorBody {
  return { detail: message, error: message };
}
