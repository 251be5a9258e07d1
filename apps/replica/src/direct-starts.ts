import { canonicalNames } from "@remote-runtime/image";
import { GROUP_MS, TELL_MS } from "@remote-runtime/placement";
import { createStartTeller, type Registry } from "@remote-runtime/registry";
import type { Clock } from "@remote-runtime/runtime";

/** Takes the image of each start that came to this replica past the gateways, and lets them know. */
export function createDirectStarts({
  registry,
  replicaId,
  clock,
}: {
  registry: Pick<Registry, "tellStarts">;
  replicaId: string;
  clock: Pick<Clock, "sleep">;
}): (image: string) => void {
  const { sleep } = clock;
  const telling = { by: replicaId, everyMs: TELL_MS, groupMs: GROUP_MS, sleep };
  const teller = createStartTeller({ registry, ...telling });
  return function tell(image) {
    for (const name of canonicalNames([image])) teller.add(name, replicaId);
  };
}
