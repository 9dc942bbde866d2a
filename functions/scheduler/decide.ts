/**
 * Gives every NixBuild that may have its tag a node, and a slot on each node
 * that wants its image: the builds that have waited longest take the free
 * slots, the rest are told their place in the queue, or what keeps builds like
 * theirs from beginning. Sets `Scheduled`; `job-launcher` acts on it.
 */
import type { Action } from "../../lib/action.ts"
import { isTrue, type Reason } from "../../lib/api/condition.ts"
import type { Node } from "../../lib/api/kubernetes.ts"
import {
  conditionsOf,
  isWaitingForRetry,
  mergeNodes,
  type NixBuild,
  nodeStatusOf,
  wantedNodes
} from "../../lib/api/nixbuild.ts"
import { patchStatus } from "../../lib/nixbuild-status.ts"
import { hasSlot, isHeld, isObstructed, lacksSlot, leave, needsSlot, slotsOf } from "../../lib/slots.ts"
import type { Observed } from "./observe.ts"
import { makeQueues, type Queues } from "./queues.ts"
import { bestOf, loadOf } from "./rank.ts"
import { tagClaims } from "./tag.ts"
import { held, noFreeSlot, noMatchingNode, obstacleIn, orRefused, tagRefused } from "./waits.ts"

type World = typeof Observed.Type

export const decide = (world: World): ReadonlyArray<Action> => {
  const placed = new Set([...world.unfinished.filter((build) => isPlaced(world, build)), ...world.delivering])
  const load = new Map<string, number>()
  for (const build of [...world.unfinished, ...world.delivering]) {
    for (const name of slotsOf(build)) if (needsSlot(build, name)) add(load, name)
  }
  const claims = tagClaims(world)
  const queues = makeQueues(world)
  const state = { load, queues }
  let queued = 0
  const place = (build: NixBuild): ReadonlyArray<Action> => {
    // The node that builds waits for its next attempt.
    const beside = { ...state, build, but: build.status?.buildNode }
    if (isWaitingForRetry(build.status, world.time)) return further(world, beside)
    const able = world.nodes.filter((node) => obstacleIn(world, { node, build }) === undefined)
    if (able.length === 0) return noMatchingNode(world, build)
    const candidates = candidatesFor(build, { able, queues })
    const blocks = candidates.map(({ metadata }) => queues.blockOf(build, metadata.name))
    const open = candidates.filter((_, index) => blocks[index] === undefined)
    if (open.length === 0) return [...held(world, { build, block: blocks[0] }), ...further(world, beside)]
    const free = open.filter((node) => loadOf(load, node) < world.maxBuildsPerNode)
    const chosen = bestOf(free, { build, candidates, load })
    if (chosen === undefined) return noFreeSlot(world, { build, place: ++queued })
    const slots = take(world, { ...state, build, first: chosen })
    return nodeFound(world, { build, node: chosen, queues, slots })
  }
  const decideFor = (build: NixBuild): ReadonlyArray<Action> => {
    if (placed.has(build)) return further(world, { ...state, build })
    const refusal = claims.refusalOf(build)
    return refusal === undefined ? [...claims.take(build), ...place(build)] : tagRefused(world, { build, refusal })
  }
  return [...world.unfinished, ...world.delivering].flatMap((build) => orRefused(world, build, decideFor(build)))
}

/** It has its node, unless that became unable, or the slot there was taken back, before anything was begun. */
const isPlaced = (world: World, build: NixBuild): boolean => {
  const { buildNode } = build.status ?? {}
  if (!isTrue(conditionsOf(build), "Scheduled") || buildNode === undefined) return false
  if (!needsSlot(build, buildNode)) return true
  const node = world.nodes.find(({ metadata }) => metadata.name === buildNode)
  return (
    hasSlot(build, buildNode) &&
    (isTrue(conditionsOf(build), "Launched") ||
      (node !== undefined && obstacleIn(world, { node, build }) === undefined))
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
  { able, queues }: { readonly able: ReadonlyArray<Node>; readonly queues: Queues }
): ReadonlyArray<Node> => {
  const { buildNode = "" } = build.status ?? {}
  const wanted = able.filter((node) => build.spec.nodes.includes(node.metadata.name))
  const before = (wanted.length > 0 ? wanted : able).filter((node) => node.metadata.name === buildNode)
  const isBegun = isTrue(conditionsOf(build), "Scheduled") && before.length > 0
  const own = nodeStatusOf(build, buildNode)
  const isKeptElsewhere = isHeld(own) && !ofNode.includes(own.reason)
  // Its image is there, or it would meet the same on every node.
  if (isBegun && (isTrue(conditionsOf(build), "Success") || isKeptElsewhere)) return before
  // Elsewhere the image would be where no Pod waits for it.
  if (wanted.length === 0) return able
  return isBegun && queues.blockOf(build, buildNode) === undefined ? before : wanted
}

interface Taking {
  readonly build: NixBuild
  readonly load: Map<string, number>
  readonly queues: Queues
}

interface Beside {
  readonly first?: Node
  /** The node that builds, which gets its slot by the queue. */
  readonly but?: string | undefined
}

/** Takes a slot on `first`, and on each other node that wants the image, is able, and has one. */
const take = (world: World, { build, but, first, load, queues }: Taking & Beside) => {
  const free = world.nodes.filter(
    (node) =>
      node === first ||
      (node.metadata.name !== but &&
        build.spec.nodes.includes(node.metadata.name) &&
        lacksSlot(build, node.metadata.name, world.time) &&
        obstacleIn(world, { node, build }) === undefined &&
        queues.blockOf(build, node.metadata.name) === undefined &&
        loadOf(load, node) < world.maxBuildsPerNode)
  )
  for (const { metadata } of free) add(load, metadata.name)
  return free.map(({ metadata }) => metadata.name)
}

/** The further nodes of a build that has its own. Where the image is not wanted any more it has no slot. */
const further = (world: World, taking: Taking & Beside): ReadonlyArray<Action> => {
  const { build } = taking
  if (!isTrue(conditionsOf(build), "Scheduled")) return []
  const slots = take(world, taking)
  const isStale = slotsOf(build).some((name) => !wantedNodes(build).includes(name))
  return slots.length === 0 && !isStale
    ? []
    : patchStatus(build, {
        why: slots.length === 0 ? "It is not wanted everywhere any more" : `${slots.join(", ")} has a free slot`,
        time: world.time,
        verdicts: [],
        fields: withSlots(world, build, { queues: taking.queues, slots })
      })
}

interface Slots {
  readonly queues: Queues
  readonly slots: ReadonlyArray<string>
  /** The node that was to build until now. */
  readonly former?: string | undefined
}

/** The slots that it has and these; who is the first to try what kept another from beginning is marked. */
const withSlots = (world: World, build: NixBuild, { former, queues, slots }: Slots) => {
  const marks = slots.flatMap((name) => queues.take(build, name))
  const left = (build.status?.nodes ?? []).flatMap((node) =>
    node.name === former && !slots.includes(former) && isObstructed(node) ? [leave(node, world.time)] : []
  )
  const news = [...marks, ...left]
  return {
    scheduledNodes: [
      ...new Set([...slotsOf(build).filter((name) => name !== former && wantedNodes(build).includes(name)), ...slots])
    ],
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

const nodeFound = (world: World, { build, node, queues, slots }: Found) => {
  const buildNode = node.metadata.name
  return patchStatus(build, {
    why: `${buildNode} has a free slot`,
    time: world.time,
    verdicts: [
      {
        type: "Scheduled",
        status: "True",
        reason: "NodeFound",
        message: `${buildNode} builds for ${build.spec.system}.`
      }
    ],
    fields: {
      buildNode,
      attempt: build.status?.attempt ?? 1,
      ...withSlots(world, build, { queues, slots, former: build.status?.buildNode })
    }
  })
}
