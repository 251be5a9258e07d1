import { execFile } from "node:child_process";
import { promisify } from "node:util";

const run = promisify(execFile);

/**
 * Mounts a file system of so many MiB, which is kept in a file, at a folder that is there. Takes root. Disposing unmounts it,
 * and the kernel frees its loop device; the file stays.
 */
export async function mountSmallDisk(
  target: string,
  { file, mib }: { file: string; mib: number },
): Promise<AsyncDisposable> {
  await run("truncate", ["--size", `${mib}M`, file]);
  await run("mkfs.ext4", ["-q", "-m", "0", file]);
  await run("mount", ["-o", "loop", file, target]);
  return {
    async [Symbol.asyncDispose]() {
      await run("umount", [target]);
    },
  };
}
