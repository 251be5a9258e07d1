import { ServiceError } from "@remote-runtime/protocol";

/** An image registry did not answer, or broke off: it may well answer later. */
export class RegistryAwayError extends ServiceError {
  constructor(message: string, options?: { cause?: unknown }) {
    super("unavailable", message, options);
  }
}

export type BusyOptions = {
  cause?: unknown;
  /** So long it has said that it wants to be left alone. Default: it has not said. */
  wantedMs?: number | undefined;
  /** Default 0. */
  pauseMs?: number;
};

/** An image registry wants to be asked less, whatever it is asked for. */
export class RegistryBusyError extends RegistryAwayError {
  readonly wantedMs: number | undefined;
  /** So long it is to be left alone; 0: nobody sees to that. */
  readonly pauseMs: number;

  constructor(message: string, { wantedMs, pauseMs = 0, ...options }: BusyOptions = {}) {
    super(message, options);
    this.wantedMs = wantedMs;
    this.pauseMs = pauseMs;
  }
}

/** The same error in other words: that a registry is away, or busy, stays known. */
export function reworded(error: ServiceError, message: string): ServiceError {
  const options = { cause: error };
  if (error instanceof RegistryBusyError) {
    const { wantedMs, pauseMs } = error;
    return new RegistryBusyError(message, { ...options, wantedMs, pauseMs });
  }
  return error instanceof RegistryAwayError
    ? new RegistryAwayError(message, options)
    : new ServiceError(error.code, message, options);
}
