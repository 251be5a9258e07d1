import type { BuildWanted } from "./build-images.ts";
import { fileNameOf, type Contexts } from "./context-files.ts";
import { ExitError, exitCodes } from "./exit-error.ts";

/**
 * The images of a list, with their lines, that have a context among those in `path`. What is one context by itself is that
 * of the only image; with more of them, or where none has any, ExitError says so.
 */
export function wantedBuilds(
  lines: ReadonlyMap<string, string>,
  contexts: Pick<Contexts, "find" | "whole">,
  path: string,
): BuildWanted[] {
  const wanted = [...lines].flatMap(([image, line]) => {
    const context = contexts.find(image, line);
    return context ? [{ image, context }] : [];
  });
  if (wanted.length > 0) return wanted;
  const { whole } = contexts;
  const [image, ...others] = lines.keys();
  if (whole && image !== undefined && others.length === 0) return [{ image, context: whole }];
  const place = JSON.stringify(path);
  const problem = whole
    ? `${place} is the context of one image, and the list names ${lines.size}`
    : `nothing in ${place} is named after an image of the list`;
  const example = image === undefined ? "" : ` (${fileNameOf(image)})`;
  const advice = `put the files of each image into a folder or .tar.gz named after its line, or the last part of its name and its tag${example}`;
  throw new ExitError(exitCodes.usage, `--build: ${problem}; ${advice}`);
}
