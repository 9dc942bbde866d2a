/** The nodes of one look, with what every build asks of them: each answer is worked out once for a system. */
import type { Node } from "../../lib/kubernetes/kinds.ts"
import type { NixBuild, System } from "../../lib/api/nixbuild.ts"
import { obstacleOf } from "../../lib/nixbuild/placement.ts"
import type { Observed } from "./observe.ts"

type Input = Pick<Observed, "nodeRepel" | "nodes">

export const makeNodes = ({ nodeRepel, nodes }: Input) => {
  const positions = new Map(nodes.map(({ metadata }, index) => [metadata.name, index]))
  const known = new Map<System, ReturnType<typeof lookAt>>()
  const lookAt = (system: System) => {
    const all = nodes.map((node) => ({ node, obstacle: obstacleOf(node, { nodeRepel, system }) }))
    const able = all.filter(({ obstacle }) => obstacle === undefined).map(({ node }) => node)
    return { able, isAble: new Set(able), all }
  }
  const of = ({ spec: { system } }: NixBuild) => {
    const found = known.get(system) ?? lookAt(system)
    known.set(system, found)
    return found
  }
  const get = (name: string): Node | undefined => nodes[positions.get(name) ?? -1]
  const isAble = (build: NixBuild, node: Node | undefined): node is Node =>
    node !== undefined && of(build).isAble.has(node)

  /** Those of these names that can build it, in the order of all nodes. */
  const ableAmong = (build: NixBuild, names: ReadonlyArray<string>): ReadonlyArray<Node> =>
    [...new Set(names)]
      .flatMap((name) => positions.get(name) ?? [])
      .toSorted((a, b) => a - b)
      .flatMap((place) => nodes.slice(place, place + 1))
      .filter((node) => isAble(build, node))

  return {
    get,
    isAble,
    ableAmong,
    /** All that can build it. */
    ableOf: (build: NixBuild) => of(build).able,
    /** What is against each node. */
    obstaclesOf: (build: NixBuild) => of(build).all
  }
}

export type Nodes = ReturnType<typeof makeNodes>
