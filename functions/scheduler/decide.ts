/**
 * Gives every NixBuild that may have its tag a node: the builds that have
 * waited longest take the free slots, the rest are told their place in the
 * queue. Sets `Scheduled`; `job-launcher` acts on it.
 */
import type { Action } from "../../lib/action.ts"
import { isTrue, obstacles, reasons } from "../../lib/api/condition.ts"
import type { Node } from "../../lib/api/kubernetes.ts"
import { conditionsOf, isWaitingForRetry, type NixBuild, unsettledNodes } from "../../lib/api/nixbuild.ts"
import { hash10 } from "../../lib/names.ts"
import { patchStatus } from "../../lib/nixbuild-status.ts"
import { obstacleOf } from "../../lib/placement.ts"
import type { Observed } from "./observe.ts"
import { tagClaims, type TagRefusal } from "./tag.ts"

type World = typeof Observed.Type

export const decide = (world: World): ReadonlyArray<Action> => {
  const placed = world.unfinished.filter((build) => isPlaced(world, build))
  const load = new Map<string, number>()
  for (const build of placed) {
    // Who waits for the next attempt, or for a person, leaves the slot to others.
    if (isWaitingForRetry(build.status, world.time) || isHeldUp(build)) continue
    for (const name of unsettledNodes(build)) add(load, name)
  }
  const claims = tagClaims(world)
  let queued = 0
  const place = (build: NixBuild): ReadonlyArray<Action> => {
    const able = world.nodes.filter((node) => obstacleIn(world, { node, build }) === undefined)
    if (able.length === 0) return noMatchingNode(world, build)
    const wanted = able.filter((node) => build.spec.nodes.includes(node.metadata.name))
    // Elsewhere the image would be where no Pod waits for it.
    const candidates = wanted.length > 0 ? wanted : able
    const [chosen] = candidates
      .filter((node) => loadOf(load, node) < world.maxBuildsPerNode)
      .toSorted((a, b) =>
        compare(rank({ node: a, build, candidates, load }), rank({ node: b, build, candidates, load }))
      )
    if (chosen === undefined) return noFreeSlot(world, { build, place: ++queued })
    for (const { metadata } of wanted.length > 0 ? wanted : [chosen]) add(load, metadata.name)
    return nodeFound(world, { build, node: chosen })
  }
  return world.unfinished
    .filter((build) => !placed.includes(build))
    .flatMap((build) => {
      const refusal = claims.refusalOf(build)
      return refusal === undefined ? [...claims.take(build), ...place(build)] : tagRefused(world, { build, refusal })
    })
}

/** It has its node, unless that became unable before anything was begun there. */
const isPlaced = (world: World, build: NixBuild): boolean => {
  if (!isTrue(conditionsOf(build), "Scheduled")) return false
  const node = world.nodes.find(({ metadata }) => metadata.name === build.status?.buildNode)
  return (
    isTrue(conditionsOf(build), "Launched") || (node !== undefined && obstacleIn(world, { node, build }) === undefined)
  )
}

const isHeldUp = (build: NixBuild): boolean =>
  conditionsOf(build).some(
    ({ reason, status, type }) => type === "Launched" && status === "False" && obstacles.includes(reason)
  )

const add = (load: Map<string, number>, name: string) => load.set(name, (load.get(name) ?? 0) + 1)
const loadOf = (load: ReadonlyMap<string, number>, { metadata }: Node): number => load.get(metadata.name) ?? 0

const obstacleIn = ({ nodeRepel }: World, { build, node }: { readonly build: NixBuild; readonly node: Node }) =>
  obstacleOf(node, { nodeRepel, system: build.spec.system })

interface Candidacy {
  readonly node: Node
  readonly build: NixBuild
  readonly candidates: ReadonlyArray<Node>
  readonly load: ReadonlyMap<string, number>
}

// Where this flake was built before, since its cache is warm; then the least busy.
const rank = ({ build, candidates, load, node }: Candidacy): ReadonlyArray<number | string> => [
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

const nodeFound = ({ time }: World, { build, node }: { readonly build: NixBuild; readonly node: Node }) => {
  const buildNode = node.metadata.name
  const message = `${buildNode} builds for ${build.spec.system}.`
  return patchStatus(build, {
    why: `${buildNode} has a free slot`,
    time,
    verdicts: [{ type: "Scheduled", status: "True", reason: "NodeFound", message }],
    fields: { buildNode, attempt: build.status?.attempt ?? 1 }
  })
}

const tagRefused = (
  { time }: World,
  { build, refusal }: { readonly build: NixBuild; readonly refusal: TagRefusal }
) => [
  ...refusal.actions,
  ...patchStatus(build, {
    why: "Its tag is another's",
    time,
    verdicts: [{ type: "Scheduled", status: "False", reason: refusal.reason, message: refusal.message }]
  })
]

const noFreeSlot = (
  { maxBuildsPerNode, time }: World,
  { build, place }: { readonly build: NixBuild; readonly place: number }
) =>
  patchStatus(build, {
    why: "All slots are taken",
    time,
    verdicts: [
      {
        type: "Scheduled",
        status: "False",
        reason: "NoFreeSlot",
        message: `${reasons.NoFreeSlot} Place ${place} in the queue; at most ${maxBuildsPerNode} at once on a node.`
      }
    ]
  })

const noMatchingNode = (world: World, build: NixBuild) => {
  const obstacles =
    world.nodes.length === 0
      ? ["the cluster has no node"]
      : world.nodes.map((node) => `${node.metadata.name} ${obstacleIn(world, { node, build })}`)
  return patchStatus(build, {
    why: "No node can build it",
    time: world.time,
    verdicts: [
      {
        type: "Scheduled",
        status: "False",
        reason: "NoMatchingNode",
        message: `${reasons.NoMatchingNode} ${build.spec.system}: ${obstacles.slice(0, 10).join(", ")}${obstacles.length > 10 ? ", …" : ""}.`
      }
    ]
  })
}
