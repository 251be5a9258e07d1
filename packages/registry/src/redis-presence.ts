import { ServiceError } from "@remote-runtime/protocol";
import { z } from "zod";
import type { Images } from "./image-inventory.ts";
import { instanceOf } from "./instance-of.ts";
import type { InventoryMethods } from "./inventory-methods.ts";
import type { Keys } from "./keys.ts";
import { heldImage, heldImagesOf } from "./images-text.ts";
import { parseEntry, parseJson } from "./parse-entry.ts";
import { healIndex, wholeMs } from "./redis-entries.ts";
import type { RedisEpoch } from "./redis-epoch.ts";
import { copyInventory, parseVersion, readInventory } from "./redis-inventory.ts";
import type { RedisLink } from "./redis-link.ts";
import { UNANNOUNCED_INVENTORY_MS, type Registry } from "./registry.ts";
import { ReplicaInfo } from "./replica-info.ts";

type Replicas = Pick<
  Registry,
  "announce" | "withdraw" | "replicas" | "replicasOfEngine" | "setDraining" | "drains"
>;

/** Replicas and what they hold, for the registry in Redis. */
export function redisPresence(
  link: RedisLink,
  keys: Keys,
  epoch: RedisEpoch,
): Replicas & InventoryMethods {
  return { ...replicas(link, keys, epoch), ...inventories(link, keys) };
}

/** An entry that cannot be read is replaced by name, and the name may have changed meanwhile. */
const ANNOUNCE_TRIES = 3;

function replicas(link: RedisLink, keys: Keys, epoch: RedisEpoch): Replicas {
  const { replicaIndex, changeChannel } = keys;
  /** The ids in the index, as they were found last. */
  let known: string[] = [];

  /** Writes it, or returns the entry of another instance. */
  function write(replica: ReplicaInfo, ttlMs: number, replacing: string): Promise<unknown> {
    const { id, instance, engineId } = replica;
    const places = [keys.replica(id), keys.images(id), replicaIndex, keys.engineIndex(engineId)];
    const body = JSON.stringify(replica);
    const values = [body, wholeMs(ttlMs), id, instance, replacing, changeChannel];
    return link.call((redis) => redis.announceReplica(...places, ...values));
  }

  return {
    async announce(replica, ttlMs, replacing = "") {
      let named = replacing;
      for (let tries = 0; tries < ANNOUNCE_TRIES; tries += 1) {
        const held = await write(replica, ttlMs, named);
        const rival = parseEntry(ReplicaInfo, held);
        if (rival !== undefined || held === null) return rival;
        // What nobody here can read cannot be asked whether it lives: it is no obstacle.
        named = instanceOf(held);
      }
      throw new ServiceError("unavailable", `others announce ${replica.id} all the time`);
    },
    async withdraw(replicaId, instance) {
      const places = [keys.replica(replicaId), keys.images(replicaId), replicaIndex];
      const values = [replicaId, instance, changeChannel];
      await link.call((redis) => redis.withdrawReplica(...places, ...values));
    },
    replicas: () =>
      link.call(async (redis) => {
        const before = epoch.seen();
        const read = (ids: string[]) => redis.mget(epoch.key, ...ids.map(keys.replica));
        // Most often they are the ones of the last time: one way there and back tells all.
        const expected = known;
        const [index, guess] = await Promise.all([
          redis.zrange(replicaIndex, 0, "-1"),
          read(expected),
        ]);
        const ids = index.toSorted();
        known = ids;
        const isSame = ids.length === expected.length && ids.every((id, i) => id === expected[i]);
        const [epochText = null, ...texts] = isSame ? guess : await read(ids);
        // Replicas that are missing announce themselves again soon: that the listeners hear of a loss is enough.
        await epoch.hasLost(redis, { before, text: epochText });
        const expired = ids.filter((_, i) => texts[i] === null);
        await healIndex(redis, { index: replicaIndex, of: "", ids: expired, keyOf: keys.replica });
        return texts
          .map((text) => parseEntry(ReplicaInfo, text))
          .filter((replica) => replica !== undefined);
      }),
    replicasOfEngine: (engineId) =>
      link.call(async (redis) =>
        (await redis.zrange(keys.engineIndex(engineId), 0, "-1")).toSorted(),
      ),
    async setDraining(replicaId, draining) {
      const values = [replicaId, String(draining), changeChannel];
      await link.call((redis) => redis.setDraining(keys.drains, ...values));
    },
    drains: () => link.call(async (redis) => new Set(await redis.smembers(keys.drains))),
  };
}

const Versions = z.array(z.string());

function inventories(link: RedisLink, keys: Keys): InventoryMethods {
  const placesOf = (replicaId: string) => [keys.images(replicaId), keys.replica(replicaId)];
  const headOf = (replicaId: string) => [UNANNOUNCED_INVENTORY_MS, replicaId, keys.changeChannel];

  return {
    async publishInventory(replicaId, images) {
      const values = [...headOf(replicaId), ...fieldsOf(images)];
      await link.call((redis) => redis.putInventory(...placesOf(replicaId), ...values));
    },
    async changeInventory(replicaId, { added, removed }) {
      const values = [...headOf(replicaId), removed.length, ...removed, ...fieldsOf(added)];
      const done = await link.call((redis) =>
        redis.changeInventory(...placesOf(replicaId), ...values),
      );
      return done === 1;
    },
    inventory: (replicaId) => readInventory(link, keys.images(replicaId)),
    copyInventory: (replicaId, into) => copyInventory(link, keys.images(replicaId), into),
    heldBy: (image, replicaIds) =>
      link.call(async (redis) => {
        // Commands that are given together go out together.
        const texts = await Promise.all(replicaIds.map((id) => redis.hget(keys.images(id), image)));
        return heldImagesOf(replicaIds.map((id, i) => [id, heldImage(parseJson(texts[i] ?? ""))]));
      }),
    inventoryVersions: () =>
      link.call(async (redis) => {
        const ids = (await redis.zrange(keys.replicaIndex, 0, "-1")).toSorted();
        const places = ids.flatMap((id) => [keys.replica(id), keys.images(id)]);
        const versions = Versions.parse(await redis.readVersions(places.length, ...places));
        const found = ids.map((id, i): [string, number] => [id, parseVersion(versions[i])]);
        return new Map(found.filter(([, version]) => version > 0));
      }),
  };
}

function* fieldsOf(images: Images): Iterable<string> {
  for (const [reference, { createdAt, sizeBytes }] of images) {
    yield reference;
    // One form for one image: the scripts compare texts.
    yield JSON.stringify({ createdAt, sizeBytes });
  }
}
