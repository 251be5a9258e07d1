import type { Self } from "@remote-runtime/docker";

/** Other projects on the same engine have a `replica-1` too. */
export function composeName(self: Self | undefined): string | undefined {
  if (!self?.composeService) return undefined;
  return `${self.composeProject}-${self.composeService}-${self.composeNumber}`;
}
