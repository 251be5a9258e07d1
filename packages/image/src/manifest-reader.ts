/** One of the parts that an image is pulled in, as it is sent: compressed. */
export type ImagePart = { digest: string; sizeBytes: number };

export type ImageParts = {
  /** Its layers and its configuration. */
  parts: readonly ImagePart[];
  /** Where the registry counts questions as pulls: how many it allows in all, and still. */
  allowance?: { all: number; left: number } | undefined;
};

/** Asks image registries for manifests, with this server's credentials. */
export interface ManifestReader {
  /**
   * What a pull of the image would bring to this server's engine. Errors are ServiceErrors whose message names the registry and
   * not the image: RegistryAwayError when it does not answer or wants to be asked less, any other when it does not tell.
   */
  parts(reference: string, signal: AbortSignal): Promise<ImageParts>;
}
