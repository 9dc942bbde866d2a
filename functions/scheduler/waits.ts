/** What `Scheduled` says of a NixBuild that gets no node. */
import { type Action, isAbout } from "../../lib/runtime/action.ts"
import { reasons } from "../../lib/api/reasons.ts"
import { conditionOf, isTrue } from "../../lib/kubernetes/condition.ts"
import { conditionsOf, type NixBuild, nixBuilds, type NodeStatus } from "../../lib/api/nixbuild.ts"
import { patchStatus } from "../../lib/nixbuild/status.ts"
import { recordRefusal, refusalWords } from "../../lib/runtime/event-recorder.ts"
import { isHeld } from "../../lib/nixbuild/slots.ts"
import type { Nodes } from "./nodes.ts"
import type { Observed } from "./observe.ts"
import type { TagRefusal } from "./tag.ts"

/** The actions, unless the API server refuses one of them: that must not hold up other builds. */
export const unlessRefused = (
  observed: Observed,
  build: NixBuild,
  actions: ReadonlyArray<Action<"Scheduled">>
): ReadonlyArray<Action<"Scheduled">> => {
  const refusal = observed.refusals.find((one) => actions.some((action) => isAbout(action, one)))
  if (refusal === undefined) return actions
  // One that may pass is asked again with the next look.
  if (!refusal.isLasting) return []
  // A status that cannot be written cannot report this.
  if (refusal.kind === "NixBuild") return []
  const reason = "RequestRefused"
  const isTold = conditionOf(conditionsOf(build), "Scheduled")?.reason === reason
  const { time } = observed
  return [
    ...(isTold ? [] : [recordRefusal({ regarding: nixBuilds, about: build.metadata, refusal, time })]),
    ...patchStatus(build, {
      why: `${refusal.kind} ${refusal.name} is refused`,
      time,
      conditions: [{ type: "Scheduled", status: "False", reason, message: refusalWords(refusal) }]
    })
  ]
}

/** It waits behind the obstacle of similar builds. A build that met the obstacle itself reports it in `Launched`. */
export const behindObstacle = (
  { time }: Observed,
  { block, build }: { readonly block: NodeStatus | undefined; readonly build: NixBuild }
) =>
  block === undefined || (isTrue(conditionsOf(build), "Scheduled") && build.status?.nodes?.some(isHeld) === true)
    ? []
    : patchStatus(build, {
        why: `Similar builds cannot start on node ${block.name}`,
        time,
        conditions: [
          { type: "Scheduled", status: "False", reason: block.reason, message: block.message ?? reasons[block.reason] }
        ]
      })

export const tagRefused = (
  { time }: Observed,
  { build, refusal }: { readonly build: NixBuild; readonly refusal: TagRefusal }
) => [
  ...refusal.actions,
  ...patchStatus(build, {
    why: "Its tag belongs to another NixBuild or namespace",
    time,
    conditions: [{ type: "Scheduled", status: "False", reason: refusal.reason, message: refusal.message }]
  })
]

interface Queued {
  readonly build: NixBuild
  /** How many that have waited longer wait for a slot too. */
  readonly before: number
}

export const noFreeSlot = ({ maxBuildsPerNode, time }: Observed, { before, build }: Queued) =>
  patchStatus(build, {
    why: "All slots are taken",
    time,
    conditions: [
      {
        type: "Scheduled",
        status: "False",
        reason: "NoFreeSlot",
        message: `${reasons.NoFreeSlot} ${waitingBefore(mostBefore(build, before))} Each node runs at most ${maxBuildsPerNode} ${maxBuildsPerNode === 1 ? "build" : "builds"} at once.`
      }
    ]
  })

const waitingBefore = (most: number): string =>
  most === 0 ? "No build is ahead of it." : `Up to ${most} ${most === 1 ? "build is" : "builds are"} ahead of it.`

/** How many builds ahead of it the status of a waiting NixBuild reports. */
const reportedBefore = (build: NixBuild): number | undefined => {
  const scheduled = conditionOf(conditionsOf(build), "Scheduled")
  if (scheduled?.reason !== "NoFreeSlot") return undefined
  const [told, most] =
    /No build is ahead of it|Up to (\d+) builds? (?:is|are) ahead of it/u.exec(scheduled.message) ?? []
  return told === undefined ? undefined : Number(most ?? 0)
}

/**
 * At most how many builds are ahead of it. The number is written once: it stays true while those ahead get their slots,
 * and updating it would mean a write to every waiting build with each build that ends. If more came ahead because their
 * obstacle is gone, twice as many are reported, so that this too is seldom written again.
 */
const mostBefore = (build: NixBuild, before: number): number => {
  const told = reportedBefore(build)
  if (told === undefined) return before
  return before <= told ? told : before * 2
}

// A reader wants to know why, not each node's reason.
const maxObstacles = 10

export const noMatchingNode = (
  observed: Observed,
  { build, nodes }: { readonly build: NixBuild; readonly nodes: Nodes }
) => {
  const all = nodes.obstaclesOf(build)
  const some = all.slice(0, maxObstacles).map(({ node, obstacle }) => `${node.metadata.name} ${obstacle}`)
  const obstacles = all.length === 0 ? "the cluster has no node" : some.join(", ")
  return patchStatus(build, {
    why: "No node can build it",
    time: observed.time,
    conditions: [
      {
        type: "Scheduled",
        status: "False",
        reason: "NoMatchingNode",
        message: `${reasons.NoMatchingNode} ${build.spec.system}: ${obstacles}${all.length > maxObstacles ? ", …" : ""}.`
      }
    ]
  })
}
