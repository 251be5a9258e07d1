import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";

/** A process of this host. */
export type UploadsOwner = { host: string; pid: number };

/** The name of the folder in which a gateway keeps the uploads of builds. */
export function uploadsFolder({ host, pid }: UploadsOwner): string {
  return `openhands-uploads-${host}-${pid}`;
}

export type RemoveStaleUploadsOptions = {
  /** The folder for temporary files, with the uploads of all gateways of this host. */
  folder: string;
  host: string;
  isAlive: (pid: number) => boolean;
};

/**
 * Removes what gateways of this host have left that were killed: their folders bear the ids of processes that are gone. Of
 * another host's, which may share the folder, nothing can be said. Returns the names of what it has removed.
 */
export async function removeStaleUploads({
  folder,
  host,
  isAlive,
}: RemoveStaleUploadsOptions): Promise<string[]> {
  const stale = (await readdir(folder)).filter((name) => {
    const pid = Number(/-(\d+)$/.exec(name)?.[1]);
    return name === uploadsFolder({ host, pid }) && !isAlive(pid);
  });
  for (const name of stale) await rm(join(folder, name), { recursive: true, force: true });
  return stale;
}
