import { ServiceError } from "@remote-runtime/protocol";

/** An image registry did not answer, or broke off, or wants to be asked less: it may well answer later. */
export class RegistryAwayError extends ServiceError {
  constructor(message: string, options?: { cause?: unknown }) {
    super("unavailable", message, options);
  }
}
