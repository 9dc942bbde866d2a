/**
 * Gives every NixBuild that may have its tag a node, and a slot on each node
 * that wants its image: the builds that have waited longest take the free slots;
 * the rest learn how many are ahead of them, or what keeps similar builds from
 * starting. Sets `Scheduled`; `job-launcher` acts on it.
 */
import type { Action } from "../../lib/runtime/action.ts"
import type { Reason } from "../../lib/api/reasons.ts"
import { isTrue } from "../../lib/kubernetes/condition.ts"
import type { Node } from "../../lib/kubernetes/kinds.ts"
import {
  conditionsOf,
  isWaitingForRetry,
  mergeNodes,
  type NixBuild,
  nodeStatusOf,
  wantedNodes
} from "../../lib/api/nixbuild.ts"
import { patchStatus } from "../../lib/nixbuild/status.ts"
import { hasSlot, isHeld, isObstructed, lacksSlot, leave, needsSlot, slotsOf } from "../../lib/nixbuild/slots.ts"
import type { Observed } from "./observe.ts"
import { makeNodes, type Nodes } from "./nodes.ts"
import { makeQueues, type Queues } from "./queues.ts"
import { loadOf, makeChoice } from "./rank.ts"
import { tagClaims } from "./tag.ts"
import { behindObstacle, noFreeSlot, noMatchingNode, tagRefused, unlessRefused } from "./waits.ts"

export const decide = (observed: Observed): ReadonlyArray<Action<"Scheduled">> => {
  const nodes = makeNodes(observed)
  const placed = new Set([...observed.unfinished.filter((build) => isPlaced(nodes, build)), ...observed.delivering])
  const load = new Map<string, number>()
  for (const build of [...observed.unfinished, ...observed.delivering]) {
    for (const name of slotsOf(build)) if (needsSlot(build, name)) add(load, name)
  }
  const claims = tagClaims(observed)
  const queues = makeQueues(observed)
  const choose = makeChoice()
  const state = { load, nodes, queues }
  const freeAmong = makeFree(load, observed.maxBuildsPerNode)
  let queued = 0
  let begun = 0
  const schedule = (build: NixBuild): ReadonlyArray<Action<"Scheduled">> => {
    // The node that builds waits for its next attempt.
    const beside = { ...state, build, but: build.status?.buildNode }
    if (isWaitingForRetry(build.status, observed.time)) return further(observed, beside)
    if (nodes.ableOf(build).length === 0) return noMatchingNode(observed, { build, nodes })
    const candidates = candidatesFor(build, { nodes, queues })
    const blockOn = queues.blocksOf(build)
    const isOpen = ({ metadata }: Node) => blockOn(metadata.name) === undefined
    const chosen = choose(freeAmong(candidates).filter(isOpen), { build, candidates, load })
    if (chosen !== undefined) {
      begun += 1
      const slots = take(observed, { ...state, build, first: chosen })
      return nodeFound(observed, { build, node: chosen, queues, slots })
    }
    if (candidates.some(isOpen)) return noFreeSlot(observed, { build, before: queued++ })
    const [block] = candidates.slice(0, 1).map(({ metadata }) => blockOn(metadata.name))
    return [...behindObstacle(observed, { build, block }), ...further(observed, beside)]
  }
  const decideFor = (build: NixBuild): ReadonlyArray<Action<"Scheduled">> => {
    if (placed.has(build)) return further(observed, { ...state, build })
    if (begun >= maxBegun) return []
    const refusal = claims.refusalOf(build)
    return refusal === undefined
      ? [...claims.take(build), ...schedule(build)]
      : tagRefused(observed, { build, refusal })
  }
  return [...observed.unfinished, ...observed.delivering].flatMap((build) =>
    unlessRefused(observed, build, decideFor(build))
  )
}

// Hundreds at once would hold the process for as long as they take; what is written to these leads to the next look.
const maxBegun = 50

/** Those with a free slot. In a look slots are only taken, so who has none is not asked again. */
const makeFree = (load: ReadonlyMap<string, number>, maxBuildsPerNode: number) => {
  const known = new Map<ReadonlyArray<Node>, ReadonlyArray<Node>>()
  return (candidates: ReadonlyArray<Node>): ReadonlyArray<Node> => {
    const free = (known.get(candidates) ?? candidates).filter((node) => loadOf(load, node) < maxBuildsPerNode)
    known.set(candidates, free)
    return free
  }
}

/** It has its node, unless that became unable, or the slot there was taken back, before anything was begun. */
const isPlaced = (nodes: Nodes, build: NixBuild): boolean => {
  const { buildNode } = build.status ?? {}
  if (!isTrue(conditionsOf(build), "Scheduled") || buildNode === undefined) return false
  if (!needsSlot(build, buildNode)) return true
  return (
    hasSlot(build, buildNode) && (isTrue(conditionsOf(build), "Launched") || nodes.isAble(build, nodes.get(buildNode)))
  )
}

// What another node may not have.
const ofNode: ReadonlyArray<Reason> = [
  "PodImageUnavailable",
  "PodNotStarted",
  "PodUnschedulable",
  "SandboxUnavailable",
  "VolumeFailed"
]

/** Where Pods wait, or else anywhere; a further attempt stays where the first was, unless that node keeps it. */
const candidatesFor = (
  build: NixBuild,
  { nodes, queues }: { readonly nodes: Nodes; readonly queues: Queues }
): ReadonlyArray<Node> => {
  const { buildNode = "" } = build.status ?? {}
  const able = nodes.ableOf(build)
  const wanted = nodes.ableAmong(build, build.spec.nodes)
  const former = nodes.get(buildNode)
  const before = nodes.isAble(build, former) && (wanted.length === 0 || wanted.includes(former)) ? [former] : []
  const isBegun = isTrue(conditionsOf(build), "Scheduled") && before.length > 0
  const own = nodeStatusOf(build, buildNode)
  const isKeptElsewhere = isHeld(own) && !ofNode.includes(own.reason)
  // Its image is there, or it would meet the same on every node.
  if (isBegun && (isTrue(conditionsOf(build), "Success") || isKeptElsewhere)) return before
  // Elsewhere the image would be where no Pod waits for it.
  if (wanted.length === 0) return able
  return isBegun && queues.blocksOf(build)(buildNode) === undefined ? before : wanted
}

interface Taking {
  readonly build: NixBuild
  readonly load: Map<string, number>
  readonly nodes: Nodes
  readonly queues: Queues
}

interface Beside {
  readonly first?: Node
  /** The node that builds, which gets its slot by the queue. */
  readonly but?: string | undefined
}

/** Takes a slot on `first`, and on each other node that wants the image, is able, and has one. */
const take = (observed: Observed, { build, but, first, load, nodes, queues }: Taking & Beside) => {
  const blockOn = queues.blocksOf(build)
  const free = nodes
    .ableAmong(build, first === undefined ? build.spec.nodes : [...build.spec.nodes, first.metadata.name])
    .filter(
      (node) =>
        node === first ||
        (node.metadata.name !== but &&
          lacksSlot(build, node.metadata.name, observed.time) &&
          blockOn(node.metadata.name) === undefined &&
          loadOf(load, node) < observed.maxBuildsPerNode)
    )
  for (const { metadata } of free) add(load, metadata.name)
  return free.map(({ metadata }) => metadata.name)
}

/** The further nodes of a build that has its own. Where the image is not wanted any more it has no slot. */
const further = (observed: Observed, taking: Taking & Beside): ReadonlyArray<Action<"Scheduled">> => {
  const { build } = taking
  if (!isTrue(conditionsOf(build), "Scheduled")) return []
  const slots = take(observed, taking)
  const wanted = new Set(wantedNodes(build))
  const isStale = slotsOf(build).some((name) => !wanted.has(name))
  return slots.length === 0 && !isStale
    ? []
    : patchStatus(build, {
        why: slots.length === 0 ? "Not all its nodes want it any more" : `There is a free slot on ${slots.join(", ")}`,
        time: observed.time,
        conditions: [],
        fields: withSlots(observed, build, { queues: taking.queues, slots })
      })
}

interface Slots {
  readonly queues: Queues
  readonly slots: ReadonlyArray<string>
  /** The node that was to build until now. */
  readonly former?: string | undefined
}

/** The slots that it has and these; who is the first to try what kept another from beginning is marked. */
const withSlots = (observed: Observed, build: NixBuild, { former, queues, slots }: Slots) => {
  const marks = slots.flatMap((name) => queues.take(build, name))
  const left = (build.status?.nodes ?? []).flatMap((node) =>
    node.name === former && !slots.includes(former) && isObstructed(node) ? [leave(node, observed.time)] : []
  )
  const news = [...marks, ...left]
  const wanted = new Set(wantedNodes(build))
  return {
    scheduledNodes: [...new Set([...slotsOf(build).filter((name) => name !== former && wanted.has(name)), ...slots])],
    ...(news.length === 0 ? {} : { nodes: mergeNodes(build, news) })
  }
}

const add = (load: Map<string, number>, name: string) => load.set(name, (load.get(name) ?? 0) + 1)

interface Found {
  readonly build: NixBuild
  readonly node: Node
  readonly queues: Queues
  readonly slots: ReadonlyArray<string>
}

const nodeFound = (observed: Observed, { build, node, queues, slots }: Found) => {
  const buildNode = node.metadata.name
  return patchStatus(build, {
    why: `Node ${buildNode} has a free slot`,
    time: observed.time,
    conditions: [
      {
        type: "Scheduled",
        status: "True",
        reason: "NodeFound",
        message: `Node ${buildNode} builds it for ${build.spec.system}.`
      }
    ],
    fields: {
      buildNode,
      attempt: build.status?.attempt ?? 1,
      ...withSlots(observed, build, { queues, slots, former: build.status?.buildNode })
    }
  })
}
