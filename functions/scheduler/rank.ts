/** Which of the nodes that could build is the best. */
import type { Node } from "../../lib/kubernetes/kinds.ts"
import type { NixBuild } from "../../lib/api/nixbuild.ts"
import { hash10 } from "../../lib/hash.ts"

export const loadOf = (load: ReadonlyMap<string, number>, { metadata }: Node): number => load.get(metadata.name) ?? 0

interface Candidacy {
  readonly build: NixBuild
  readonly candidates: ReadonlyArray<Node>
  readonly load: ReadonlyMap<string, number>
}

/** Chooses of `nodes`, which are among the candidates, the best, or none if there are none. */
export type Choose = (nodes: ReadonlyArray<Node>, candidacy: Candidacy) => Node | undefined

/** One look's choices: a flake's favourite among the same candidates is worked out once. */
export const makeChoice = (): Choose => {
  const known = new Map<ReadonlyArray<Node>, Map<string, Node | undefined>>()
  const favouriteOf = (flake: string, candidates: ReadonlyArray<Node>): Node | undefined => {
    const favourites = known.get(candidates) ?? new Map<string, Node | undefined>()
    known.set(candidates, favourites)
    if (!favourites.has(flake)) favourites.set(flake, favourite(flake, candidates))
    return favourites.get(flake)
  }
  return (nodes, { build, candidates, load }) => {
    if (nodes.length === 0) return undefined
    // Each flake, whatever its revision, has the same favourite among the same nodes.
    const [flake = ""] = build.spec.flakeUrl.split("?")
    const warmest = favouriteOf(flake, candidates)
    // Where this flake was built before, since its cache is warm; then the least busy.
    return warmest !== undefined && nodes.includes(warmest)
      ? warmest
      : first(nodes, (node) => [loadOf(load, node), node.metadata.name])
  }
}

const favourite = (flake: string, candidates: ReadonlyArray<Node>): Node | undefined =>
  first(candidates, ({ metadata }) => [hash10(flake, metadata.name), metadata.name])

type Rank = readonly [number | string, string]

/** The node of the lowest rank, which is asked of each once. */
const first = (nodes: ReadonlyArray<Node>, rankOf: (node: Node) => Rank): Node | undefined => {
  let best: { readonly node: Node; readonly rank: Rank } | undefined
  for (const node of nodes) {
    const rank = rankOf(node)
    if (best === undefined || isBefore(rank, best.rank)) best = { node, rank }
  }
  return best?.node
}

const isBefore = ([a, name]: Rank, [b, other]: Rank): boolean => a < b || (a === b && name < other)
