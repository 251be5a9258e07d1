import { ServiceError } from "@remote-runtime/protocol";
import { DEFAULT_DOMAIN, OFFICIAL, splitDomain } from "./reference-domain.ts";

/** Of the tags by which servers know on an engine what they brought. They are no images that anybody may ask for, or build. */
export const MARK_REPOSITORY = "openhands-brought";

/** https://github.com/distribution/reference, reference.go: the grammar that engines and registries share. */
const DOMAIN =
  /^(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*|\[[a-f0-9:]+\])(?::[0-9]+)?$/i;
const COMPONENT = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
const TAG = /^\w[\w.-]{0,127}$/;
const DIGEST = /^(?:sha256:[a-f0-9]{64}|sha384:[a-f0-9]{96}|sha512:[a-f0-9]{128})$/;
/** A content id of an engine, which stands for itself. */
const IMAGE_ID = /^sha256:[a-f0-9]{64}$/;
const BARE_ID = /^[a-f0-9]{64}$/;

const MAX_CHARACTERS = 1024;
const MAX_PATH_CHARACTERS = 255;
const DEFAULT_TAG = "latest";

/**
 * The one way to write an image's name, so that all ways compare and hash the same: `python:3` and
 * `index.docker.io/library/python:3` are `docker.io/library/python:3`. Without a tag it is `latest`; with a digest the tag
 * is dropped, as the digest alone says which image it is. Throws `bad_request` for what is no image reference.
 */
export function canonicalReference(text: string): string {
  if (IMAGE_ID.test(text)) return text;
  if (text.length > MAX_CHARACTERS) refuse(text, `is longer than ${MAX_CHARACTERS} characters`);
  if (BARE_ID.test(text)) refuse(text, "is an image id without `sha256:`");

  const [named, digest] = splitAt(text, text.indexOf("@"));
  const { domain, remainder } = splitDomain(named);
  const [path, tag] = splitAt(remainder, remainder.indexOf(":"));

  // Engines also keep names like `my_team.x/tool`, whose first part no host can have.
  if (!DOMAIN.test(domain) && !COMPONENT.test(domain)) refuse(text, "has no valid registry");
  checkPath(text, path);
  if (tag !== undefined && !TAG.test(tag)) refuse(text, "has no valid tag");
  if (digest !== undefined && !DIGEST.test(digest)) refuse(text, "has no valid digest");

  const name = `${domain}/${path}`;
  if (name === `${DEFAULT_DOMAIN}/${OFFICIAL}${MARK_REPOSITORY}`) {
    refuse(text, "has a repository name that is kept for this service");
  }
  return digest === undefined ? `${name}:${tag ?? DEFAULT_TAG}` : `${name}@${digest}`;
}

/** A canonical reference as people write it: without `docker.io/library/`. What is not canonical stays as it is. */
export function familiarReference(canonical: string): string {
  const short = [`${DEFAULT_DOMAIN}/${OFFICIAL}`, `${DEFAULT_DOMAIN}/`]
    .filter((prefix) => canonical.startsWith(prefix))
    .map((prefix) => canonical.slice(prefix.length));
  return short.find((text) => isSame(text, canonical)) ?? canonical;
}

/** Shortened, `docker.io/a.b/c` would be read as an image of the registry `a.b`. */
function isSame(short: string, canonical: string): boolean {
  const { domain, remainder } = splitDomain(short);
  return `${domain}/${remainder}` === canonical;
}

function checkPath(text: string, path: string): void {
  if (path === "" || path === OFFICIAL) refuse(text, "has no repository name");
  if (path.length > MAX_PATH_CHARACTERS) {
    refuse(text, `has a repository name of more than ${MAX_PATH_CHARACTERS} characters`);
  }
  if (path.split("/").every((component) => COMPONENT.test(component))) return;
  const lower = path.toLowerCase();
  const isCase = lower !== path && lower.split("/").every((component) => COMPONENT.test(component));
  refuse(
    text,
    isCase ? "has upper-case letters in its repository name" : "has no valid repository name",
  );
}

function refuse(text: string, problem: string): never {
  throw new ServiceError("bad_request", `image: "${text.slice(0, 200)}" ${problem}`);
}

function splitAt(text: string, at: number): [string, string | undefined] {
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}
