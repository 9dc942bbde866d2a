/** What is tried again after it failed: by itself when the cause may pass, or because somebody asks for it. */
import type { Action } from "../../lib/runtime/action.ts"
import { isRetried, type Reason, reasons } from "../../lib/api/reasons.ts"
import { isFalse, isTrue } from "../../lib/kubernetes/condition.ts"
import {
  attemptOn,
  conditionsOf,
  type NixBuild,
  type NodeStatus,
  nodeStatusOf,
  unsettledNodes
} from "../../lib/api/nixbuild.ts"
import { retryAnnotation } from "../../lib/api/annotations.ts"
import { patchStatus } from "../../lib/nixbuild/status.ts"
import { withoutSlots } from "../../lib/nixbuild/slots.ts"
import { sourceOf } from "../../lib/nixbuild/source.ts"
import { secondsAfter } from "../../lib/kubernetes/time.ts"
import type { Sets } from "./sets.ts"

interface Tries {
  /** How many retries came before, in a row. */
  readonly retries: number
  readonly time: string
  /** How long to wait before each retry; as many retries as there are delays. */
  readonly delaysSeconds: ReadonlyArray<number>
}

/** When the next attempt begins, if there is one. */
export const retryOf = (reason: Reason, { delaysSeconds, retries, time }: Tries) => {
  const delay = delaysSeconds[retries]
  return delay === undefined || !isRetried(reason)
    ? undefined
    : { retryTime: secondsAfter(time, delay, time), retries: retries + 1 }
}

interface Asked {
  /** What the annotation says. */
  readonly asked: string
  readonly time: string
}

/**
 * Everything that failed or waits for its next attempt begins it now; what runs or succeeded is left alone. A build that
 * has given no image yet looks for its source anew, and with it whatever runs with the old one.
 */
export const retryAll = (build: NixBuild, { asked, time }: Asked): ReadonlyArray<Action<Sets>> => {
  const { buildNode, nodes = [] } = build.status ?? {}
  const isFailed = isTrue(conditionsOf(build), "Stalled")
  const isPending = build.status?.retryTime !== undefined && build.status.retryTime > time
  const isAnew = (isFailed || isPending) && sourceOf(build) !== undefined && !isBuilt(build)
  const begin = (node: NodeStatus): NodeStatus => {
    if (node.importedTime !== undefined || node.reason === "NoMatchingNode") return node
    if (isAnew && node.name !== buildNode) return beginAnew(build, node.name, time)
    if (node.retryTime !== undefined) return { ...node, retryTime: node.retryTime < time ? node.retryTime : time }
    return { name: node.name, attempt: node.attempt + 1, reason: node.reason, retryTime: time }
  }
  const begun = isAnew ? unsettledNodes(build).filter((name) => name !== buildNode && !nodeStatusOf(build, name)) : []
  const after = [...nodes.map(begin), ...begun.map((name) => beginAnew(build, name, time))]
  const message = reasons.RetryRequested
  const attempt = buildNode === undefined ? 1 : attemptOn(build, buildNode)
  return patchStatus(build, {
    why: `The annotation ${retryAnnotation} asks for it`,
    time,
    conditions: isFailed
      ? [
          ...(isFalse(conditionsOf(build), "Success")
            ? [{ type: "Success" as const, status: "Unknown" as const, reason: "RetryRequested" as const, message }]
            : []),
          // The one way back from the end, since a person asked for it.
          { type: "Complete", status: "Unknown", reason: "RetryRequested", message },
          { type: "Stalled", status: "False", reason: "RetryRequested", message }
        ]
      : [],
    fields: {
      handledRetry: asked,
      ...(isAnew ? { lockedUrl: null, lockedInputs: null } : {}),
      ...(after.length === 0 ? {} : { nodes: after }),
      ...withoutSlots(
        build,
        after.filter((node) => nodeStatusOf(build, node.name)?.attempt !== node.attempt).map(({ name }) => name)
      ),
      ...(isFailed ? { attempt: attempt + 1, retryTime: time } : isPending ? { retryTime: time } : {})
    }
  })
}

/** There is an image, and all nodes get that. */
const isBuilt = (build: NixBuild): boolean =>
  isTrue(conditionsOf(build), "Success") || (build.status?.nodes ?? []).some((node) => node.importedTime !== undefined)

/** An attempt that takes the place of one that may run. */
const beginAnew = (build: NixBuild, name: string, time: string): NodeStatus => ({
  name,
  attempt: attemptOn(build, name) + 1,
  reason: "RetryRequested",
  retryTime: time
})
