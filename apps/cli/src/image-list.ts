import { readFile } from "node:fs/promises";
import { text } from "node:stream/consumers";
import { canonicalReference } from "@remote-runtime/image";
import { ServiceError } from "@remote-runtime/protocol";
import { ExitError, exitCodes } from "./exit-error.ts";
import { fileError } from "./file-error.ts";
import type { ImagePattern } from "./image-pattern.ts";
import type { Terminal } from "./terminal.ts";

/** Of the lines that are no image so many are named. */
const MOST_PROBLEMS = 5;

/**
 * The images that a file or stdin (`-`) names, one on each line, as canonical references, each once. Empty lines and what
 * follows a `#` do not count. Throws ExitError that names the lines which are no image.
 */
export async function readImageList(
  source: string,
  terminal: Pick<Terminal, "stdin">,
): Promise<string[]> {
  return [...(await readImageLines(source, terminal)).keys()];
}

/** The same with what stood on the first line of each; `pattern` makes images of instance ids. */
export async function readImageLines(
  source: string,
  { stdin }: Pick<Terminal, "stdin">,
  pattern: ImagePattern = (line) => line,
): Promise<Map<string, string>> {
  const name = source === "-" ? "stdin" : source;
  const content = source === "-" ? await text(stdin) : await contentOf(source);
  checkText(content, name);
  const images = new Map<string, string>();
  const problems: string[] = [];
  for (const [index, whole] of content.split("\n").entries()) {
    const line = whole.replace(/#.*/, "").trim();
    if (line === "") continue;
    try {
      const image = canonicalReference(pattern(line));
      if (!images.has(image)) images.set(image, line);
    } catch (error) {
      problems.push(`${name}:${index + 1}: ${ServiceError.from(error).message}`);
    }
  }
  if (problems.length > 0) throw new ExitError(exitCodes.usage, shortened(problems));
  if (images.size === 0) throw new ExitError(exitCodes.usage, `${name} names no image`);
  return images;
}

async function contentOf(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    throw fileError(error, {
      what: `cannot read the images in ${JSON.stringify(path)}`,
      advice: "name a file with an image on each line; - reads from standard input",
    });
  }
}

/** Bytes that are no UTF-8 were replaced when they were read. */
function checkText(content: string, name: string): void {
  const at = content.search(/[\0\uFFFD]/);
  if (at === -1) return;
  const line = content.slice(0, at).split("\n").length;
  const problem = `${name}:${line}: it is no text; name a file with an image on each line`;
  throw new ExitError(exitCodes.usage, problem);
}

function shortened(problems: readonly string[]): string {
  const more = problems.length - MOST_PROBLEMS;
  const shown = problems.slice(0, MOST_PROBLEMS).join("; ");
  return more > 0 ? `${shown}; and ${more.toLocaleString("en-US")} more such lines` : shown;
}
