import type { DatabaseSync } from "node:sqlite";
import type { ChangeListeners } from "./change-listeners.ts";
import type { Inventory } from "./image-inventory.ts";
import { heldImagesOf, imagesToText, parseImages } from "./images-text.ts";
import { instanceOf, rivalIn } from "./instance-of.ts";
import type { InventoryMethods } from "./inventory-methods.ts";
import { changedImages, nextInventory, type NextInventory } from "./next-inventory.ts";
import { parseEntry } from "./parse-entry.ts";
import { ENGINE_MEMORY_MS, UNANNOUNCED_INVENTORY_MS, type Registry } from "./registry.ts";
import { ReplicaInfo } from "./replica-info.ts";
import { expiry } from "./sqlite-expiry.ts";

type Replicas = Pick<Registry, "announce" | "withdraw" | "replicas" | "replicasOfEngine">;
type Drains = Pick<Registry, "setDraining" | "drains">;
type Deps = {
  db: DatabaseSync;
  open: <T>(work: () => T) => Promise<T>;
  now: () => number;
  changes: ChangeListeners;
};

/** Replicas and what they hold, for the registry in a file. Each method runs to its end in one turn. */
export function sqlitePresence(deps: Deps): Replicas & Drains & InventoryMethods {
  return { ...replicas(deps), ...drains(deps), ...inventories(deps) };
}

const TABLES_THAT_EXPIRE = ["replica", "inventory", "record", "engine_replica", "image_group"];

function replicas({ db, open, now, changes }: Deps): Replicas {
  const get = db.prepare("SELECT body FROM replica WHERE id = ? AND expires_at > ?");
  const list = db.prepare("SELECT body FROM replica WHERE expires_at > ? ORDER BY id");
  const put = db.prepare("REPLACE INTO replica (id, body, expires_at) VALUES (?, ?, ?)");
  const remove = db.prepare("DELETE FROM replica WHERE id = ?");
  const removeInventory = db.prepare("DELETE FROM inventory WHERE replica_id = ?");
  const prolongInventory = db.prepare("UPDATE inventory SET expires_at = ? WHERE replica_id = ?");
  const putMember = db.prepare(
    "REPLACE INTO engine_replica (engine_id, replica_id, expires_at) VALUES (?, ?, ?)",
  );
  const members = db.prepare(
    "SELECT replica_id FROM engine_replica WHERE engine_id = ? AND expires_at > ? ORDER BY replica_id",
  );
  const purge = TABLES_THAT_EXPIRE.map((table) =>
    db.prepare(`DELETE FROM ${table} WHERE expires_at <= ?`),
  );

  return {
    announce: (info, ttlMs, replacing) =>
      open(() => {
        // Heartbeats are regular and off the path of /start: the place to drop what has expired.
        purge.forEach((statement) => statement.run(now()));
        const { id, instance, engineId } = info;
        const before = get.get(id, now())?.["body"];
        const rival = rivalIn(before, { instance, replacing });
        if (rival !== undefined) return rival;
        const body = JSON.stringify(info);
        const expiresAt = expiry(now(), ttlMs);
        put.run(id, body, expiresAt);
        prolongInventory.run(expiresAt, id);
        putMember.run(engineId, id, expiry(now(), ENGINE_MEMORY_MS));
        if (before !== body) changes.notify({ kind: "replica", replica: structuredClone(info) });
        return undefined;
      }),
    withdraw: (replicaId, instance) =>
      open(() => {
        const body = get.get(replicaId, now())?.["body"];
        if (body === undefined || instanceOf(body) !== instance) return;
        remove.run(replicaId);
        removeInventory.run(replicaId);
        changes.notify({ kind: "left", replicaId });
      }),
    replicas: () =>
      open(() =>
        list
          .all(now())
          .map((row) => parseEntry(ReplicaInfo, row["body"]))
          .filter((info) => info !== undefined),
      ),
    replicasOfEngine: (engineId) =>
      open(() => members.all(engineId, now()).map((row) => String(row["replica_id"]))),
  };
}

function drains({ db, open, changes }: Deps): Drains {
  const list = db.prepare("SELECT replica_id FROM drain");
  const add = db.prepare("INSERT OR IGNORE INTO drain (replica_id) VALUES (?)");
  const remove = db.prepare("DELETE FROM drain WHERE replica_id = ?");

  return {
    setDraining: (replicaId, draining) =>
      open(() => {
        const done = (draining ? add : remove).run(replicaId);
        if (done.changes !== 0 || !draining) changes.notify({ kind: "drain", replicaId, draining });
      }),
    drains: () => open(() => new Set(list.all().map((row) => String(row["replica_id"])))),
  };
}

function inventories({ db, open, now, changes }: Deps): InventoryMethods {
  const get = db.prepare(
    "SELECT version, images FROM inventory WHERE replica_id = ? AND expires_at > ?",
  );
  const put = db.prepare(
    "REPLACE INTO inventory (replica_id, version, images, expires_at) VALUES (?, ?, ?, ?)",
  );
  const prolong = db.prepare("UPDATE inventory SET expires_at = ? WHERE replica_id = ?");
  const versions = db.prepare(`
    SELECT replica_id, version FROM inventory JOIN replica ON replica.id = replica_id
    WHERE inventory.expires_at > :now AND replica.expires_at > :now ORDER BY replica_id`);
  const announced = db.prepare("SELECT expires_at FROM replica WHERE id = ? AND expires_at > ?");

  function read(replicaId: string): Inventory | undefined {
    const row = get.get(replicaId, now());
    const images = parseImages(row?.["images"]);
    return images && { version: Number(row?.["version"]), images };
  }

  function store(replicaId: string, next: NextInventory | undefined): void {
    const expiresAt =
      announced.get(replicaId, now())?.["expires_at"] ?? expiry(now(), UNANNOUNCED_INVENTORY_MS);
    prolong.run(expiresAt, replicaId);
    if (next === undefined) return;
    const { version, images } = next.inventory;
    put.run(replicaId, version, imagesToText(images), expiresAt);
    changes.notify({ kind: "inventory", replicaId, version, change: next.change });
  }

  return {
    publishInventory: (replicaId, images) =>
      open(() => store(replicaId, nextInventory(read(replicaId), images, now()))),
    changeInventory: (replicaId, change) =>
      open(() => {
        const stored = read(replicaId);
        if (stored === undefined) return false;
        store(replicaId, nextInventory(stored, changedImages(stored.images, change), now()));
        return true;
      }),
    inventory: (replicaId) => open(() => read(replicaId)),
    copyInventory: (replicaId, into) =>
      open(() => {
        const found = read(replicaId);
        into.clear();
        into.set([...(found?.images ?? [])]);
        return found?.version;
      }),
    heldBy: (image, replicaIds) =>
      open(() => heldImagesOf(replicaIds.map((id) => [id, read(id)?.images.get(image)]))),
    inventoryVersions: () =>
      open(() => {
        const rows = versions.all({ now: now() });
        return new Map(rows.map((row) => [String(row["replica_id"]), Number(row["version"])]));
      }),
  };
}
