import { ServiceError } from "@remote-runtime/protocol";

/** An image registry did not answer, or broke off, or wants to be asked less: it may well answer later. */
export class RegistryAwayError extends ServiceError {
  constructor(message: string, options?: { cause?: unknown }) {
    super("unavailable", message, options);
  }
}

/** The same error in other words: that a registry is away stays known. */
export function reworded(error: ServiceError, message: string): ServiceError {
  const options = { cause: error };
  return error instanceof RegistryAwayError
    ? new RegistryAwayError(message, options)
    : new ServiceError(error.code, message, options);
}
