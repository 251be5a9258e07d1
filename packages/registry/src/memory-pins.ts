import type { ChangeListeners } from "./change-listeners.ts";
import { parseEntry } from "./parse-entry.ts";
import { MOST_PINS, Pin } from "./pin.ts";
import type { Registry } from "./registry.ts";
import { tooManyPins } from "./too-many-pins.ts";

/** The pins of the registry in memory. */
export function memoryPins(deps: {
  open: <T>(work: () => T) => Promise<T>;
  changes: ChangeListeners;
}): Pick<Registry, "pin" | "restorePins" | "unpin" | "pins"> {
  const { open, changes } = deps;
  const entries = new Map<string, string>();
  const tell = (changed: number): number => {
    if (changed > 0) changes.notify({ kind: "pins" });
    return changed;
  };

  return {
    pin: (pins) =>
      open(() => {
        const added = [...pins].filter(([image]) => !entries.has(image));
        if (entries.size + added.length > MOST_PINS) throw tooManyPins();
        for (const [image, pin] of added) entries.set(image, JSON.stringify(pin));
        return tell(added.length);
      }),
    restorePins: () => open(() => 0),
    unpin: (images) => open(() => tell(images.filter((image) => entries.delete(image)).length)),
    pins: () =>
      open(() => {
        const found = new Map<string, Pin>();
        for (const [image, text] of entries) {
          const pin = parseEntry(Pin, text);
          if (pin) found.set(image, pin);
        }
        return found;
      }),
  };
}
