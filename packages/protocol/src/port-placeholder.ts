/** SkyRL writes this number where its server is to put the port that the action server listens on. */
const PLACEHOLDER = /(?<![\w.-])88888888(?![\w-]|\.\w)/;
const EVERY_PLACEHOLDER = new RegExp(PLACEHOLDER, "g");

/** Whether the placeholder stands in `text` as a word of its own: not inside a longer number or name. */
export function hasPortPlaceholder(text: string): boolean {
  return PLACEHOLDER.test(text);
}

/** `text` with the port in place of each placeholder, also in `--port=88888888` and inside the text of an `sh -c`. */
export function fillPortPlaceholder(text: string, port: number): string {
  return text.replace(EVERY_PLACEHOLDER, String(port));
}
