/** What is newly known of one node that wants the image: that it has it, why not, or that it lost it. */
import { isTrue } from "../../lib/kubernetes/condition.ts"
import {
  attemptOn,
  conditionsOf,
  type Failure,
  type NixBuild,
  type NodeStatus,
  nodeStatusOf,
  unsettledNodes
} from "../../lib/api/nixbuild.ts"
import { deliveryOf } from "../../lib/nixbuild/delivery.ts"
import { obstacleOf } from "../../lib/nixbuild/placement.ts"
import { secondsAfter } from "../../lib/kubernetes/time.ts"
import type { Observed, Place } from "./observe.ts"
import { ofSource } from "./locked.ts"
import { lost } from "./lost.ts"
import { isMissed } from "./missed.ts"
import { buildOutcome, importOutcome } from "./outcome.ts"
import { overdue } from "./overdue.ts"
import { retryOf } from "./retry.ts"
import { waitingAt } from "./waiting.ts"

/** A node with what its Jobs came to. */
export interface Seen extends Place {
  readonly built: ReturnType<typeof buildOutcome>
  readonly imported: ReturnType<typeof importOutcome>
}

export type World = Omit<typeof Observed.Type, "places"> & { readonly places: ReadonlyArray<Seen> }

export const seen = (observed: typeof Observed.Type): World => ({
  ...observed,
  places: observed.places.map((place) => ({
    ...place,
    built: ofSource(observed.build, place.build, buildOutcome(place.build)),
    imported: importOutcome(place.import, deliveryOf(observed.build).failed)
  }))
})

export const isMain = (build: NixBuild, place: Place): boolean => place.name === build.status?.buildNode

export const settle = (world: World, place: Seen): ReadonlyArray<NodeStatus> => {
  const { build, time } = world
  const known = nodeStatusOf(build, place.name)
  const attempt = attemptOn(build, place.name)
  if (!unsettledNodes(build).includes(place.name)) return known === undefined ? [] : vanish(world, place, known)
  if (place.imported._tag === "Succeeded") {
    const { digest } = place.imported.result
    return [{ name: place.name, attempt, reason: deliveryOf(build).done, digest, importedTime: time }]
  }
  const failure = failureAt(world, place)
  if (failure !== undefined) {
    const retry = retryOf(failure.reason, {
      retries: retriesBefore(build, place),
      time,
      delaysSeconds: world.retryDelaysSeconds
    })
    return [
      retry === undefined
        ? { name: place.name, attempt, reason: failure.reason }
        : { name: place.name, attempt: attempt + 1, reason: failure.reason, ...retry }
    ]
  }
  const waiting = waitingAt(world, place)
  if (waiting.length > 0) return waiting
  const isUnable = obstacleAt(world, place) !== undefined
  return isUnable && known === undefined && place.build === undefined
    ? [{ name: place.name, attempt, reason: "NoMatchingNode" }]
    : []
}

/**
 * How many retries in a row led to the attempt on this node. Those of the build go with it when the scheduler finds
 * another node for the next attempt: the node that it leaves has the entry of that attempt.
 */
const retriesBefore = (build: NixBuild, place: Place): number => {
  const known = nodeStatusOf(build, place.name)
  if (known?.retryTime !== undefined) return known.retries ?? 0
  return isMain(build, place) ? Math.max(0, ...leftBy(build).map(({ retries = 0 }) => retries)) : 0
}

const leftBy = ({ status = {} }: NixBuild): ReadonlyArray<NodeStatus> =>
  (status.nodes ?? []).filter(({ attempt, retryTime }) => attempt === status.attempt && retryTime !== undefined)

/** Why the attempt on this node failed, if it did. */
export const failureAt = ({ build, time }: World, place: Seen): Failure | undefined => {
  const { built, imported } = place
  if (imported._tag === "Failed") return imported.failure
  // A later attempt may fail where the first one gave an image.
  const isFirst = attemptOn(build, place.name) === 1
  const isBuilt =
    place.import !== undefined || (isFirst && isMain(build, place) && isTrue(conditionsOf(build), "Success"))
  if (built._tag === "Failed" && !isBuilt) return built.failure
  return overdue(build, place, time) ?? lost(place, time)
}

export const obstacleAt = ({ build, nodeRepel }: World, { node }: Place): string | undefined =>
  node === undefined ? "is gone" : obstacleOf(node, { system: build.spec.system, nodeRepel })

// Bounds what a Pod costs that cannot start for a reason that nobody foresaw.
const againSeconds = 60

const vanish = ({ build, time }: World, { name, waiting }: Seen, known: NodeStatus): ReadonlyArray<NodeStatus> => {
  const { attempt, importedTime } = known
  return importedTime !== undefined && isMissed(known, { build, waiting, time })
    ? [
        {
          name,
          attempt: attempt + 1,
          reason: "ImageVanished",
          retryTime: secondsAfter(importedTime, againSeconds, time)
        }
      ]
    : []
}
