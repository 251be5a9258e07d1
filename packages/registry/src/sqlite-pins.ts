import type { DatabaseSync } from "node:sqlite";
import type { ChangeListeners } from "./change-listeners.ts";
import { MOST_PINS, type Pin } from "./pin.ts";
import type { Registry } from "./registry.ts";
import { tooManyPins } from "./too-many-pins.ts";

/** The pins of the registry in a file. */
export function sqlitePins(deps: {
  db: DatabaseSync;
  open: <T>(work: () => T) => Promise<T>;
  changes: ChangeListeners;
}): Pick<Registry, "pin" | "restorePins" | "unpin" | "pins"> {
  const { db, open, changes } = deps;
  const add = db.prepare(
    "INSERT OR IGNORE INTO pin (image, pinned_by, pinned_at) VALUES (?, ?, ?)",
  );
  const remove = db.prepare("DELETE FROM pin WHERE image = ?");
  const count = db.prepare("SELECT count(*) AS count FROM pin");
  const list = db.prepare("SELECT image, pinned_by, pinned_at FROM pin");

  /** All of them or none, and written to the file once. */
  function change(work: () => number): number {
    db.exec("BEGIN");
    try {
      const changed = work();
      db.exec("COMMIT");
      if (changed > 0) changes.notify({ kind: "pins" });
      return changed;
    } catch (error) {
      db.exec("ROLLBACK");
      throw error;
    }
  }

  return {
    pin: (pins) =>
      open(() =>
        change(() => {
          let added = 0;
          for (const [image, { by, at }] of pins) added += Number(add.run(image, by, at).changes);
          if (Number(count.get()?.["count"]) > MOST_PINS) throw tooManyPins();
          return added;
        }),
      ),
    restorePins: () => open(() => 0),
    unpin: (images) =>
      open(() =>
        change(() =>
          images.reduce((removed, image) => removed + Number(remove.run(image).changes), 0),
        ),
      ),
    pins: () =>
      open(() => {
        const rows = list
          .all()
          .map((row): [string, Pin] => [
            String(row["image"]),
            { by: String(row["pinned_by"]), at: Number(row["pinned_at"]) },
          ]);
        return new Map(rows);
      }),
  };
}
