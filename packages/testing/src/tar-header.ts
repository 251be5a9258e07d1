export type TarEntry = {
  path: string;
  /** Of the content that follows. Default 0. */
  bytes?: number;
  kind?: keyof typeof KINDS;
  /** What a link leads to. */
  target?: string;
};

const KINDS = { file: "0", hardLink: "1", symbolicLink: "2" };

/** The block before an entry's content in a tar archive (POSIX ustar), however bad its path is. */
export function tarHeader({ path, bytes = 0, kind = "file", target = "" }: TarEntry): Buffer {
  const block = Buffer.alloc(512);
  block.write(path);
  block.write("0000644\0", 100);
  block.write(`${bytes.toString(8).padStart(11, "0")}\0`, 124);
  block.write(KINDS[kind], 156);
  block.write(target, 157);
  block.write("ustar\u000000", 257);
  block.fill(" ", 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return block;
}
