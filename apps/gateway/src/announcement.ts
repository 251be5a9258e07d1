import type { ReplicaInfo } from "@remote-runtime/registry";

/** Of two announcements of one replica the later one: what was read may be older than what was told meanwhile. */
export function laterOf(known: ReplicaInfo | undefined, found: ReplicaInfo): ReplicaInfo {
  const isOlder = known?.instance === found.instance && known.loadVersion > found.loadVersion;
  return isOlder ? known : found;
}

/** Whether nothing has changed that the ring or a choice depends on, but for what it has to do and is pulling. */
export function isSameButForLoad(before: ReplicaInfo, now: ReplicaInfo): boolean {
  return (
    before.weight === now.weight &&
    before.engineId === now.engineId &&
    before.tag === now.tag &&
    before.draining === now.draining
  );
}
