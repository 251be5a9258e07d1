import { InvalidArgumentError } from "commander";

/** Instance id → image. */
export type ImagePattern = (id: string) => string;

/** How those who publish images for SWE-bench name them. */
const NAMED: Readonly<Record<string, string>> = {
  swebench: "docker.io/swebench/sweb.eval.x86_64.{id_1776}:latest",
  openhands: "docker.io/xingyaoww/sweb.eval.x86_64.{id_s}:latest",
};

/** Neither slash nor colon, which every image's full name has one of. */
const INSTANCE_ID = /^[A-Za-z0-9][A-Za-z0-9_.-]*$/;

export const patternHelp = `a line without / and : is an instance id, which becomes an image by this: ${Object.keys(NAMED).join(", ")}, or a name with {id}, {id_1776} or {id_s} in it`;

/**
 * Reads the value of `--pattern`. `{id}` stands for the id in lower case, `{id_1776}` and `{id_s}` for the same with `_1776_`
 * or `_s_` in place of `__`. A line that is no id stays as it is.
 */
export function imagePattern(text: string): ImagePattern {
  const template = NAMED[text] ?? text;
  if (!/\{id(_1776|_s)?\}/.test(template)) {
    const names = Object.keys(NAMED).join(" or ");
    throw new InvalidArgumentError(
      `It must be ${names}, or a name with {id} in it, as registry.example.com/eval.{id}:latest.`,
    );
  }
  return (line) => {
    if (!INSTANCE_ID.test(line)) return line;
    const id = line.toLowerCase();
    return template
      .replaceAll("{id}", id)
      .replaceAll("{id_1776}", id.replaceAll("__", "_1776_"))
      .replaceAll("{id_s}", id.replaceAll("__", "_s_"));
  };
}
