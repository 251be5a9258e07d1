/** A place that passes on what a registry has. */
export type Mirror = {
  /** Host and port of the registry: `docker.io`. */
  registry: string;
  /** Host, and folder below it, of the mirror: `mirror.example.com/hub`. */
  folder: string;
};

/** A canonical reference under the names that the registry's mirrors have for it, in their order. */
export function mirrored(name: string, mirrors: readonly Mirror[]): string[] {
  return mirrors
    .filter(({ registry }) => name.startsWith(`${registry}/`))
    .map(({ registry, folder }) => folder + name.slice(registry.length));
}

/** The names at the registries themselves that a mirror's canonical reference may stand for. */
export function originsOf(name: string, mirrors: readonly Mirror[]): string[] {
  return mirrors
    .filter(({ folder }) => name.startsWith(`${folder}/`))
    .map(({ registry, folder }) => registry + name.slice(folder.length));
}
