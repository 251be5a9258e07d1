import { ServiceError } from "@remote-runtime/protocol";

/** An image registry did not answer, or broke off: it may well answer later. */
export class RegistryAwayError extends ServiceError {
  constructor(message: string, options?: { cause?: unknown }) {
    super("unavailable", message, options);
  }
}

/** An image registry wants to be asked less, whatever it is asked for. */
export class RegistryBusyError extends RegistryAwayError {
  /** So long it is to be left alone; 0: nobody sees to that. */
  readonly pauseMs: number;

  constructor(
    message: string,
    { pauseMs = 0, ...options }: { pauseMs?: number; cause?: unknown } = {},
  ) {
    super(message, options);
    this.pauseMs = pauseMs;
  }
}

/** The same error in other words: that a registry is away, or busy, stays known. */
export function reworded(error: ServiceError, message: string): ServiceError {
  const options = { cause: error };
  if (error instanceof RegistryBusyError) {
    return new RegistryBusyError(message, { ...options, pauseMs: error.pauseMs });
  }
  return error instanceof RegistryAwayError
    ? new RegistryAwayError(message, options)
    : new ServiceError(error.code, message, options);
}
