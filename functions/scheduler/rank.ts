/** Which of the nodes that could build is the best. */
import type { Node } from "../../lib/api/kubernetes.ts"
import type { NixBuild } from "../../lib/api/nixbuild.ts"
import { hash10 } from "../../lib/names.ts"

export const loadOf = (load: ReadonlyMap<string, number>, { metadata }: Node): number => load.get(metadata.name) ?? 0

interface Candidacy {
  readonly build: NixBuild
  readonly candidates: ReadonlyArray<Node>
  readonly load: ReadonlyMap<string, number>
}

/** The best of `nodes`, which are among the candidates, or none if there are none. */
export const bestOf = (nodes: ReadonlyArray<Node>, candidacy: Candidacy): Node | undefined =>
  nodes.toSorted((a, b) => compare(rank(a, candidacy), rank(b, candidacy)))[0]

// Where this flake was built before, since its cache is warm; then the least busy.
const rank = (node: Node, { build, candidates, load }: Candidacy): ReadonlyArray<number | string> => [
  node === warmest(build, candidates) ? 0 : 1,
  loadOf(load, node),
  node.metadata.name
]

// Each flake, whatever its revision, has the same favourite among the same nodes.
const warmest = ({ spec }: NixBuild, candidates: ReadonlyArray<Node>): Node | undefined => {
  const [flake = ""] = spec.flakeUrl.split("?")
  return candidates.toSorted((a, b) => hash10(flake, a.metadata.name).localeCompare(hash10(flake, b.metadata.name)))[0]
}

const compare = (a: ReadonlyArray<number | string>, b: ReadonlyArray<number | string>): number => {
  const index = a.findIndex((value, index) => value !== b[index])
  return index < 0 ? 0 : (a[index] ?? 0) < (b[index] ?? 0) ? -1 : 1
}
