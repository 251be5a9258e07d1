import type { Registry, ReplicaInfo } from "@remote-runtime/registry";
import type { Clock, Log } from "@remote-runtime/runtime";
import { ConfigError, type Log as ServerLog } from "@remote-runtime/server";
import { createDrainWishes } from "./drain-wishes.ts";
import { idClash } from "./id-clash.ts";
import type { Peers } from "./peers.ts";

const HEARTBEAT_MS = 2_000;
/** Three heartbeats: a replica that is gone leaves the ring within that time. */
const TIME_TO_LIVE_MS = 6_000;
/** Changes of load within that time are told together. */
const DEBOUNCE_MS = 200;
/** Within that time whoever was taking over when this replica came back has seen it, and has stopped. */
const TAKEN_OVER_MS = 10_000;

export interface Membership {
  /**
   * Announces at once. A registry that does not answer is tried again by `run`; ConfigError when another process that
   * lives has this replica's id.
   */
  join(): Promise<void>;
  /** Heartbeats until `signal` aborts, then leaves the ring. ConfigError when another process has got the id. */
  run(signal: AbortSignal): Promise<void>;
  /** What is announced may have changed: told soon, once for many calls. */
  changed(): void;
  /** Tells now what has changed. */
  tell(): Promise<void>;
  /** Whether no other replica of the engine can have taken runtimes over without this one knowing. */
  isSure(): boolean;
}

/** What changes of a ReplicaInfo while the process lives. */
export type Condition = Pick<ReplicaInfo, "load" | "runtimes" | "pulling" | "draining">;

export type MembershipOptions = {
  registry: Registry;
  /** What stays as it is; asked for at each announcement, as the port is known late. */
  identity: () => Omit<ReplicaInfo, keyof Condition | "loadVersion">;
  condition: () => Condition;
  peers: Peers;
  /** Writes all runtimes again, after the registry has lost them, and forgets those that others have taken over. */
  republish: () => Promise<void>;
  republishInventory: () => void;
  /** Whether that process answers. */
  isAlive: (other: ReplicaInfo) => Promise<boolean>;
  clock: Clock;
  log: Log & Pick<ServerLog, "error">;
};

/** Keeps a replica known to the gateways, and the others known to it. */
export function createMembership(options: MembershipOptions): Membership {
  const { registry, peers, isAlive, clock, log } = options;
  const wishes = createDrainWishes({ registry });
  const ending = new AbortController();
  let wake = Promise.withResolvers<void>();
  let beatAt = 0;
  let isAnnounced = false;
  let isAway = false;
  /** The entry was not there any more, and nothing has been done about it yet. */
  let hasLapsed = false;
  /** What others have taken over since is being found out. */
  let isUnsure = false;
  let lapses = 0;
  let answeredAt = 0;
  let told = "";
  let loadVersion = 0;

  function current(): { info: ReplicaInfo; isNew: boolean } {
    const condition = options.condition();
    const text = JSON.stringify(condition);
    const isNew = text !== told;
    if (isNew) loadVersion += 1;
    told = text;
    return { info: { ...options.identity(), ...condition, loadVersion }, isNew };
  }

  async function announce(info: ReplicaInfo): Promise<void> {
    let other = await registry.announce(info, TIME_TO_LIVE_MS);
    // At the same address it can only be an earlier life of this replica.
    const isFollowed =
      other && !isAnnounced && (other.internalUrl === info.internalUrl || !(await isAlive(other)));
    if (other && isFollowed) {
      other = await registry.announce(info, TIME_TO_LIVE_MS, other.instance);
    }
    if (other) throw idClash(info, other);
    isAnnounced = true;
    answeredAt = clock.now();
  }

  function hasEntry(replicas: readonly ReplicaInfo[]): boolean {
    const { id, instance } = options.identity();
    return replicas.some((one) => one.id === id && one.instance === instance);
  }

  async function beat(): Promise<boolean> {
    const { id, engineId } = options.identity();
    const drains = await wishes.read();
    const [replicas, ofEngine] = await Promise.all([
      registry.replicas(),
      registry.replicasOfEngine(engineId),
    ]);
    wishes.believe(drains);
    if (isAnnounced && !hasEntry(replicas)) hasLapsed = true;
    const { info } = current();
    await announce(info);
    if (hasLapsed || isAway) peers.reset();
    // Restarted empty, or away for longer than the entry lives: what it has lost is written again.
    if (hasLapsed) {
      hasLapsed = false;
      options.republishInventory();
      void republishTwice();
    }
    const others = replicas.filter((one) => one.id !== id);
    const announced = [...others, info].map((one) => ({
      ...one,
      draining: one.draining || drains.has(one.id),
    }));
    peers.see(announced, ofEngine);
    return true;
  }

  /** The second time finds what others have taken over during the first. */
  async function republishTwice(): Promise<void> {
    const lapse = (lapses += 1);
    isUnsure = true;
    await options.republish();
    await clock.sleep(TAKEN_OVER_MS, ending.signal).catch(() => undefined);
    if (lapse !== lapses || ending.signal.aborted) return;
    await options.republish();
    if (lapse === lapses) isUnsure = false;
  }

  /** A registry that does not answer is said once, and waited for. The task answers whether it had anything to tell it. */
  async function attempt(task: () => Promise<boolean>): Promise<void> {
    try {
      const isHeard = await task();
      if (!isHeard) return;
      if (isAway) log.info({}, "the registry answers again");
      isAway = false;
    } catch (error) {
      if (error instanceof ConfigError) throw error;
      const consequence = "runtimes go on, gateways use what they know";
      if (!isAway) log.warn({ err: error }, `the registry does not answer; ${consequence}`);
      isAway = true;
    }
  }

  async function tell(): Promise<boolean> {
    const { info, isNew } = current();
    if (!isNew || !isAnnounced) return false;
    // Written anew by this, an entry that had lapsed would be missed by nobody.
    if (!hasEntry(await registry.replicas())) return beat();
    await announce(info);
    return true;
  }

  /** The next beat comes at once. */
  function hasten(): void {
    beatAt = 0;
    wake.resolve();
  }

  async function follow(signal: AbortSignal): Promise<void> {
    const pause = (ms: number): Promise<void> => clock.sleep(ms, signal).catch(() => undefined);
    beatAt = clock.now() + HEARTBEAT_MS;
    while (!signal.aborted) {
      await Promise.race([wake.promise, pause(Math.max(0, beatAt - clock.now()))]);
      if (clock.now() < beatAt) await pause(DEBOUNCE_MS);
      if (signal.aborted) return;
      wake = Promise.withResolvers<void>();
      const isDue = clock.now() >= beatAt;
      if (isDue) beatAt = clock.now() + HEARTBEAT_MS;
      await attempt(isDue ? beat : tell);
    }
  }

  return {
    join: () => attempt(beat),
    tell: () => attempt(tell),
    changed: () => wake.resolve(),
    isSure: () =>
      peers.share().count === 1 ||
      (!isUnsure && !hasLapsed && clock.now() - answeredAt < TIME_TO_LIVE_MS),
    async run(signal) {
      const { id, instance } = options.identity();
      const unsubscribe = registry.onChange((change) => {
        wishes.hear(change);
        if (change.kind === "unknown" || change.kind === "lost") hasten();
        if (change.kind === "drain" && change.replicaId === id) hasten();
      });
      try {
        await follow(signal);
      } catch (error) {
        log.error({ err: error }, "this replica ends; its sandboxes go on");
        throw error;
      } finally {
        unsubscribe();
        ending.abort();
      }
      await registry.withdraw(id, instance).catch((error: unknown) => {
        log.warn({ err: error }, "could not leave the ring; the entry ends by itself");
      });
    },
  };
}
