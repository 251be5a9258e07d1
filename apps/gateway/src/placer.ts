import { canonicalReference } from "@remote-runtime/image";
import {
  choose,
  chooseAlone,
  createGroups,
  explain,
  explainAlone,
  GROUP_MS,
  homeHas,
  TELL_MS,
  type Bounds,
  type Choice,
  type Explanation,
  type Moment,
  type Placing,
} from "@remote-runtime/placement";
import {
  createStartTeller,
  type Change,
  type Registry,
  type ReplicaInfo,
} from "@remote-runtime/registry";
import type { Clock } from "@remote-runtime/runtime";
import { BUILD_GROUP } from "./build-group.ts";
import type { Directory } from "./directory.ts";
import { noReplica } from "./no-replica.ts";
import type { ReplicaCaller } from "./replica-caller.ts";

export type PlaceOptions = {
  /** The session that is started. Default: a nameless one. */
  sessionId?: string;
  /** The registry could not tell whether the session has a runtime, as it cannot when another gateway asks. Default false. */
  alone?: boolean;
  /** Replicas that have been tried already. Default none. */
  except?: ReadonlySet<string>;
  /** Thrown when none is left. Default: that there is no replica. */
  last?: unknown;
};

export type Placed = { replica: ReplicaInfo; kind: Choice["kind"] };

export type ExplainedPlacement = {
  /** The canonical reference. */
  image: string;
  explanation: Explanation;
  /** Where the starts of the image go together, and for how long if no other comes. */
  group: { replicaId: string; expiresInMs: number } | undefined;
};

/** All of these throw `bad_request` for what is no image reference, and `unavailable` when there is no replica. */
export interface Placer {
  /** Where a start of the image goes. The starts that follow go with it, at other gateways too. */
  place(image: string, options?: PlaceOptions): Promise<Placed>;
  /** Where a start of the image, given by its canonical reference, would go now. */
  preview(image: string, options?: PlaceOptions): ReplicaInfo;
  explain(image: string): ExplainedPlacement;
  /** Another gateway has decided, or starts were placed elsewhere; what this one told itself changes nothing. */
  hear(change: Extract<Change, { kind: "group" | "starts" }>): void;
  /** The replica has announced its load. */
  announced(replicaId: string): void;
}

export type PlacerOptions = {
  directory: Directory;
  caller: Pick<ReplicaCaller, "isSilent" | "hasSilent">;
  /** Undefined: there is no other gateway to agree with. */
  registry: Pick<Registry, "shareGroup" | "tellStarts"> | undefined;
  /** Tells what it says itself from what others say. */
  gatewayId: string;
  /** Default 1.25 and 1.5. */
  bounds?: Bounds | undefined;
  clock: Clock;
  /** Told of every start that was placed, for the metrics. */
  onPlaced: (choice: Choice) => void;
};

const NOBODY: ReadonlySet<string> = new Set();

export function createPlacer(options: PlacerOptions): Placer {
  const { directory, caller, registry, gatewayId, bounds, clock, onPlaced } = options;
  const groups = createGroups();
  const telling = { by: gatewayId, everyMs: TELL_MS, groupMs: GROUP_MS, sleep: clock.sleep };
  const teller = registry && createStartTeller({ registry, ...telling });
  /** Questions to the registry where a group goes: all starts of the group wait for one answer. */
  const asking = new Map<string, Promise<boolean>>();

  const moment = (): Moment => ({
    now: clock.now(),
    totalLoad: directory.snapshot().fleet.totalLoad(),
  });

  /**
   * Those in `except`, and those that do not answer while others do. One that drains is no better than they are: it is to
   * lose what it has.
   */
  function passedOver(except: ReadonlySet<string>): ReadonlySet<string> {
    if (!caller.hasSilent()) return except;
    const left = [...directory.snapshot().replicas.values()].filter(({ id }) => !except.has(id));
    const silent = left.filter(caller.isSilent);
    const staying = left.filter(({ draining }) => !draining);
    const wanted = staying.length > 0 ? staying : left;
    if (wanted.every((replica) => silent.includes(replica))) return except;
    return new Set([...except, ...silent.map(({ id }) => id)]);
  }

  function considered<T>(
    image: string,
    { except = NOBODY, last }: PlaceOptions,
    consider: (placing: Placing) => T | undefined,
  ): T {
    const { fleet } = directory.snapshot();
    const group = groups.hint(image, moment());
    const found = consider({ image, fleet, bounds, group, except: passedOver(except) });
    if (found === undefined) throw last ?? noReplica();
    return found;
  }

  function infoOf({ replicaId }: Choice): ReplicaInfo {
    const replica = directory.snapshot().replicas.get(replicaId);
    // The fleet is made of the same replicas.
    if (!replica) throw noReplica();
    return replica;
  }

  /** No other gateway can be asked or told. */
  const isAlone = (isTold = false): boolean =>
    registry !== undefined && (isTold || directory.isCutOff());

  function chosenAlone(image: string, place: PlaceOptions): Choice {
    return considered(image, place, (placing) => chooseAlone(placing, place.sessionId ?? ""));
  }

  /** Agrees with the other gateways where the group goes. `false`: the registry does not answer. */
  async function agree(image: string, choice: Choice, before?: string): Promise<boolean> {
    try {
      const shared = registry?.shareGroup(image, choice.replicaId, GROUP_MS, before);
      groups.follow(image, (await shared) ?? choice.replicaId, moment());
      return true;
    } catch {
      return false;
    }
  }

  async function decide(image: string, place: PlaceOptions): Promise<Choice> {
    // No session can be claimed without the registry: what two gateways do with one has to be the same by itself. Which
    // replicas are silent they both know, as each asks all of them for the session right before.
    if (isAlone(place.alone)) return chosenAlone(image, place);
    for (let other = asking.get(image); other; other = asking.get(image)) await other;
    const { replicaId, formerReplicaId } = groups.hint(image, moment());
    const choice = considered(image, place, choose);
    if (choice.replicaId === replicaId) return joined(image, choice);
    if (replicaId === undefined) groups.began(homeHas(directory.snapshot().fleet, image));
    const answer = agree(image, choice, replicaId ?? formerReplicaId);
    asking.set(image, answer);
    const agreed = await answer.finally(() => asking.delete(image));
    return agreed ? joined(image, considered(image, place, choose)) : chosenAlone(image, place);
  }

  /** The start belongs to the image's group from now on. */
  function joined(image: string, choice: Choice): Choice {
    groups.started(image, choice.replicaId, moment());
    teller?.add(image, choice.replicaId);
    return choice;
  }

  return {
    async place(image, place = {}) {
      const name = canonicalReference(image);
      const choice = await decide(name, place);
      directory.sent(choice.replicaId);
      onPlaced(choice);
      return { replica: infoOf(choice), kind: choice.kind };
    },
    preview: (image, place = {}) =>
      infoOf(isAlone() ? chosenAlone(image, place) : considered(image, place, choose)),
    explain(image) {
      const name = canonicalReference(image);
      const { replicaId, expiresAtMs } = groups.hint(name, moment());
      return {
        image: name,
        explanation: considered(name, {}, isAlone() ? explainAlone : explain),
        group:
          replicaId === undefined
            ? undefined
            : { replicaId, expiresInMs: expiresAtMs - clock.now() },
      };
    },
    hear(change) {
      if (change.kind === "group") {
        // Where builds go, gateways ask when they have one.
        if (change.image.startsWith(BUILD_GROUP)) return;
        groups.follow(change.image, change.replicaId, moment());
        return;
      }
      if (change.by === gatewayId) return;
      for (const { image, replicaId, count } of change.starts) {
        groups.heard(image, replicaId, count, moment());
      }
    },
    announced: (replicaId) => groups.announced(replicaId),
  };
}
