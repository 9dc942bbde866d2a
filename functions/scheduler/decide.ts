/**
 * Gives every NixBuild that may have its tag a node, and a slot on each node
 * that wants its image: the builds that have waited longest take the free
 * slots, the rest are told their place in the queue, or what keeps builds like
 * theirs from beginning. Sets `Scheduled`; `job-launcher` acts on it.
 */
import { type Action, isAbout } from "../../lib/action.ts"
import { isTrue, type Reason, reasons } from "../../lib/api/condition.ts"
import type { Node } from "../../lib/api/kubernetes.ts"
import {
  conditionsOf,
  isWaitingForRetry,
  type NixBuild,
  type NodeStatus,
  nodeStatusOf,
  wantedNodes
} from "../../lib/api/nixbuild.ts"
import { hash10 } from "../../lib/names.ts"
import { patchStatus } from "../../lib/nixbuild-status.ts"
import { obstacleOf } from "../../lib/placement.ts"
import { say } from "../../lib/say.ts"
import { hasSlot, isHeld, isObstructed, lacksSlot, leave, needsSlot, slotsOf } from "../../lib/slots.ts"
import type { Observed } from "./observe.ts"
import { makeQueues, type Queues } from "./queues.ts"
import { tagClaims, type TagRefusal } from "./tag.ts"

type World = typeof Observed.Type

export const decide = (world: World): ReadonlyArray<Action> => {
  const placed = world.unfinished.filter((build) => isPlaced(world, build))
  const load = new Map<string, number>()
  for (const build of [...placed, ...world.delivering]) {
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
    const open = candidates.filter(({ metadata }) => queues.blockOf(build, metadata.name) === undefined)
    if (open.length === 0) {
      return [...held(world, { build, block: blockIn(queues, { build, candidates }) }), ...further(world, beside)]
    }
    const [chosen] = open
      .filter((node) => loadOf(load, node) < world.maxBuildsPerNode)
      .toSorted((a, b) =>
        compare(rank({ node: a, build, candidates, load }), rank({ node: b, build, candidates, load }))
      )
    if (chosen === undefined) return noFreeSlot(world, { build, place: ++queued })
    const slots = take(world, { ...state, build, first: chosen })
    return nodeFound(world, { build, node: chosen, queues, slots })
  }
  const decideFor = (build: NixBuild): ReadonlyArray<Action> => {
    if (placed.includes(build) || world.delivering.includes(build)) return further(world, { ...state, build })
    const refusal = claims.refusalOf(build)
    return refusal === undefined ? [...claims.take(build), ...place(build)] : tagRefused(world, { build, refusal })
  }
  return [...world.unfinished, ...world.delivering].flatMap((build) => orRefused(world, build, decideFor(build)))
}

/** What the API server refuses to one build holds up no other. */
const orRefused = (world: World, build: NixBuild, actions: ReadonlyArray<Action>): ReadonlyArray<Action> => {
  const refusal = world.refusals.find((refusal) => actions.some((action) => isAbout(action, refusal)))
  if (refusal === undefined) return actions
  // One that may pass is asked again with the next look.
  if (!refusal.isLasting) return []
  // A status that can't be written tells nobody.
  if (refusal.kind === "NixBuild") return []
  const reason = "RequestRefused"
  const message = `${reasons.RequestRefused} ${refusal.kind} ${refusal.name}: ${refusal.message}`
  const isTold = conditionsOf(build).some((condition) => condition.type === "Scheduled" && condition.reason === reason)
  const { time } = world
  return [
    ...(isTold ? [] : [say({ regarding: "NixBuild", about: build.metadata, type: "Warning", reason, message, time })]),
    ...patchStatus(build, {
      why: `${refusal.kind} ${refusal.name} is refused`,
      time,
      verdicts: [{ type: "Scheduled", status: "False", reason, message }]
    })
  ]
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

const blockIn = (
  queues: Queues,
  { build, candidates }: { readonly build: NixBuild; readonly candidates: ReadonlyArray<Node> }
): NodeStatus | undefined =>
  candidates.map(({ metadata }) => queues.blockOf(build, metadata.name)).find((block) => block !== undefined)

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
  const before = build.status?.nodes ?? []
  const marks = slots.flatMap((name) => queues.take(build, name))
  const left = before.flatMap((node) =>
    node.name === former && !slots.includes(former) && isObstructed(node) ? [leave(node, world.time)] : []
  )
  const news = [...marks, ...left]
  const nodes = [...before.filter(({ name }) => news.every((node) => node.name !== name)), ...news]
  return {
    scheduledNodes: [
      ...new Set([...slotsOf(build).filter((name) => name !== former && wantedNodes(build).includes(name)), ...slots])
    ],
    ...(news.length === 0 ? {} : { nodes })
  }
}

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

/** It waits with what keeps those like it from beginning. Who was kept itself has been told in `Launched`. */
const held = (
  { time }: World,
  { block, build }: { readonly block: NodeStatus | undefined; readonly build: NixBuild }
) =>
  block === undefined || (isTrue(conditionsOf(build), "Scheduled") && build.status?.nodes?.some(isHeld) === true)
    ? []
    : patchStatus(build, {
        why: `Builds like it cannot begin on ${block.name}`,
        time,
        verdicts: [
          { type: "Scheduled", status: "False", reason: block.reason, message: block.message ?? reasons[block.reason] }
        ]
      })

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
