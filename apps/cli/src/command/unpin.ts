import type { Command } from "commander";
import { readImageLines } from "../image-list.ts";
import { imagePattern, patternHelp, type ImagePattern } from "../image-pattern.ts";
import { jsonOption, type JsonOption } from "../json-option.ts";
import { nameArgument } from "../name-argument.ts";
import { pinImages } from "../pin-images.ts";
import { plural } from "../plural.ts";
import { printJson, printLine } from "../print.ts";
import { connect, type ServerOptions } from "../server-option.ts";
import type { Terminal } from "../terminal.ts";

type UnpinOptions = JsonOption & { pattern?: ImagePattern };

/** `unpin`: images may be removed again. */
export function addUnpin(program: Command, terminal: Terminal): void {
  program
    .command("unpin")
    .description("let images be removed again when an engine needs the room")
    .argument("<file>", "a list of images, as for `prefetch`; - reads from stdin", nameArgument)
    .option("--pattern <pattern>", patternHelp, imagePattern)
    .option(...jsonOption)
    .action(async (file: string, options: UnpinOptions, command: Command) => {
      const { client } = await connect(command.optsWithGlobals<ServerOptions>(), terminal);
      const images = [...(await readImageLines(file, terminal, options.pattern)).keys()];
      const unpinned = await pinImages("unpin", images, { client, signal: terminal.signal });
      if (options.json) return printJson(terminal.stdout, { unpinned });
      const missing = images.length - unpinned;
      const rest = missing === 0 ? "" : `; ${missing.toLocaleString("en-US")} were not pinned`;
      printLine(terminal.stdout, `${plural(unpinned, "image")} unpinned${rest}`);
    });
}
