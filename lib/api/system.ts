/** Nix's names for machines and Kubernetes' (which are Go's and OCI's), side by side. */

export const systems = [
  "x86_64-linux",
  "aarch64-linux",
  "armv7l-linux",
  "i686-linux",
  "riscv64-linux",
  "powerpc64le-linux",
  "s390x-linux"
] as const

const architectures: Record<(typeof systems)[number], string> = {
  "x86_64-linux": "amd64",
  "aarch64-linux": "arm64",
  "armv7l-linux": "arm",
  "i686-linux": "386",
  "riscv64-linux": "riscv64",
  "powerpc64le-linux": "ppc64le",
  "s390x-linux": "s390x"
}

/** What nodes that build for `system` carry as the label `kubernetes.io/arch`. */
export const architectureOf = (system: (typeof systems)[number]): string => architectures[system]

/** The system that a node with this `kubernetes.io/arch` runs, if Nix has a name for it. */
export const systemOf = (architecture: string | undefined): (typeof systems)[number] | undefined =>
  systems.find((system) => architectures[system] === architecture)

interface Labelled {
  readonly metadata: { readonly labels?: Readonly<Record<string, string>> }
}

/** What a node says of its architecture. */
export const nodeArchitectureOf = (node: Labelled | undefined): string | undefined =>
  node?.metadata.labels?.["kubernetes.io/arch"]

/** The system that a node runs, if Nix has a name for it. */
export const systemOfNode = (node: Labelled | undefined): (typeof systems)[number] | undefined =>
  systemOf(nodeArchitectureOf(node))
