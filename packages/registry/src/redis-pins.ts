import { ServiceError } from "@remote-runtime/protocol";
import { z } from "zod";
import type { Keys } from "./keys.ts";
import { parseEntry } from "./parse-entry.ts";
import { MOST_PINS, Pin, type Pins } from "./pin.ts";
import type { RedisEpoch } from "./redis-epoch.ts";
import type { RedisLink } from "./redis-link.ts";
import type { Registry } from "./registry.ts";
import { tooManyPins } from "./too-many-pins.ts";

/** Requests are answered between the parts. */
const PINS_PER_READ = 1000;

/** The pins of the registry in Redis. */
export function redisPins(
  link: RedisLink,
  keys: Keys,
  epoch: RedisEpoch,
): Pick<Registry, "pin" | "restorePins" | "unpin" | "pins"> {
  const places = [keys.pins, keys.unpinned];
  const head = [MOST_PINS, keys.changeChannel];

  async function add(pins: Pins, script: "pinImages" | "restorePins"): Promise<number> {
    const fields = [...pins].flatMap(([image, pin]) => [image, JSON.stringify(pin)]);
    const added = await link.call((redis) => redis[script](...places, ...head, ...fields));
    if (added === null) throw tooManyPins();
    return z.number().parse(added);
  }

  return {
    pin: (pins) => add(pins, "pinImages"),
    restorePins: (pins) => add(pins, "restorePins"),
    async unpin(images) {
      const values = [...places, ...head, ...images];
      return z.number().parse(await link.call((redis) => redis.unpinImages(...values)));
    },
    async pins() {
      const found = new Map<string, Pin>();
      const before = epoch.seen();
      let cursor = "0";
      do {
        const from = cursor;
        const part = await link.call((redis) =>
          redis.hscan(keys.pins, from, "COUNT", PINS_PER_READ),
        );
        cursor = part[0];
        for (let i = 0; i < part[1].length; i += 2) {
          const pin = parseEntry(Pin, part[1][i + 1]);
          if (pin) found.set(part[1][i] ?? "", pin);
        }
      } while (cursor !== "0");
      const hasLost = await link.call(async (redis) =>
        epoch.hasLost(redis, { before, text: await redis.get(epoch.key) }),
      );
      if (!hasLost) return found;
      throw new ServiceError("unavailable", "the registry has lost what it knew; try again");
    },
  };
}
