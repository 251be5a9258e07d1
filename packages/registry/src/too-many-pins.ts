import { ServiceError } from "@remote-runtime/protocol";
import { MOST_PINS } from "./pin.ts";

/** Nothing was written, as there would be more pins than are kept. */
export function tooManyPins(): ServiceError {
  const problem = `at most ${MOST_PINS.toLocaleString("en-US")} images can be pinned`;
  return new ServiceError("conflict", `${problem}: unpin some first; nothing was pinned`);
}
