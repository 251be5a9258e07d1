import { InvalidArgumentError } from "commander";

/** A line of a list → image. */
export type ImagePattern = (line: string) => string;

type Template = {
  /** Of an instance id. */
  ofId?: string;
  /** Of an image's name that lacks the registry, where it is one of `images`. */
  ofImage?: string;
  images: RegExp;
};

/** Images of lists that were made where they were built: without a registry, with instance ids in their names. */
const EVAL_IMAGE = /^sweb\.eval\.x86_64\.([^/:]+)(?::latest)?$/;
const SWE_BENCH_IMAGE = /^sweb\.[^/]+$/;
const ANY_BARE_IMAGE = /^[^/]+$/;
/** Neither slash nor colon, which every image's full name has one of. */
const INSTANCE_ID = /^[A-Za-z0-9][A-Za-z0-9_.-]*$/;

/** How those who publish images for SWE-bench name them. */
const NAMED: Readonly<Record<string, Template>> = {
  swebench: {
    ofId: "docker.io/swebench/sweb.eval.x86_64.{id_1776}:latest",
    ofImage: "docker.io/swebench/{image}",
    images: SWE_BENCH_IMAGE,
  },
  openhands: {
    ofId: "docker.io/xingyaoww/sweb.eval.x86_64.{id_s}:latest",
    ofImage: "docker.io/xingyaoww/{image}",
    images: SWE_BENCH_IMAGE,
  },
};

const names = Object.keys(NAMED);

export const patternHelp = `what becomes of an instance id, a line without / and :, or the ID of sweb.eval.x86_64.ID:latest: ${names.join(", ")}, or a name with {id}, {id_1776} or {id_s} in it; {image} puts a registry before a line without /`;

/**
 * Reads the value of `--pattern`. `{id}` stands for the id in lower case, `{id_1776}` and `{id_s}` for the same with `_1776_`
 * or `_s_` in place of `__`, `{image}` for a line without a slash. A line of another kind stays as it is.
 */
export function imagePattern(text: string): ImagePattern {
  const { ofId, ofImage, images } = NAMED[text] ?? templateOf(text);
  return (line) => {
    const id = ofId === undefined ? undefined : instanceIdOf(line);
    if (ofId !== undefined && id !== undefined) {
      return ofId
        .replaceAll("{id}", id)
        .replaceAll("{id_1776}", id.replaceAll("__", "_1776_"))
        .replaceAll("{id_s}", id.replaceAll("__", "_s_"));
    }
    return images.test(line) ? (ofImage ?? line).replaceAll("{image}", line) : line;
  };
}

function templateOf(text: string): Template {
  const [isOfIds, isOfImages] = [/\{id(_1776|_s)?\}/.test(text), text.includes("{image}")];
  if (isOfIds === isOfImages) {
    throw new InvalidArgumentError(
      `It must be ${names.join(" or ")}, or a name with {id} or {image} in it, as registry.example.com/eval.{id}:latest.`,
    );
  }
  return isOfIds
    ? { ofId: text, images: ANY_BARE_IMAGE }
    : { ofImage: text, images: ANY_BARE_IMAGE };
}

/** In lower case, with `__` between the repository's owner and its name. */
function instanceIdOf(line: string): string | undefined {
  const inImage = EVAL_IMAGE.exec(line)?.[1];
  if (inImage !== undefined) return inImage.toLowerCase().replace(/_s_|_1776_/, "__");
  return INSTANCE_ID.test(line) ? line.toLowerCase() : undefined;
}
