/** What a registry that does answer has said: no. */
export class RefusalError extends Error {
  override readonly name = "RefusalError";
}

/** Whether the registry has answered and refuses, for want of memory say: to ask again at once is of no use. */
export function isRefused(error: unknown): boolean {
  return error instanceof Error && error.cause instanceof RefusalError;
}
