/**
 * Who waits behind an obstacle: builds whose Pods Kubernetes takes alike share
 * it on a node. One of them tries, and the others wait for what comes of it:
 *
 *     could not begin ─▶ waits its back-off ─▶ one tries ─┬▶ could not begin
 *                                                         └▶ begins: the next tries at once
 */
import type { Reason } from "../../lib/api/condition.ts"
import {
  attemptOn,
  isWaitingForRetry,
  type NixBuild,
  type NodeStatus,
  nodeStatusOf,
  wantedNodes
} from "../../lib/api/nixbuild.ts"
import { hasSlot, isHeld, isObstructed } from "../../lib/slots.ts"
import type { Observed } from "./observe.ts"

interface Waiting {
  readonly node: NodeStatus
  /** What Kubernetes can tell its Pod from others by. */
  readonly kind: string
  readonly isTrying: boolean
  readonly uid: string
}

type World = Pick<typeof Observed.Type, "delivering" | "time" | "unfinished">

export const makeQueues = ({ delivering, time, unfinished }: World) => {
  const waiting = Map.groupBy(
    [...unfinished, ...delivering].flatMap((build) => {
      const wanted = wantedNodes(build)
      const nodes = build.status?.nodes ?? []
      // Where it is not wanted any more it does not try again, so nobody may wait for what comes of that.
      return nodes.filter((node) => isHeld(node) && wanted.includes(node.name)).map(waitingOf(build))
    }),
    ({ node }) => node.name
  )
  const tried = new Set<string>()
  // Admission says the same of such a Pod on every node.
  const refusals = new Map(
    [...waiting.values()]
      .flat()
      .filter(({ node }) => isObstructed(node) && ofAdmission.includes(node.reason))
      .map((refused) => [refused.kind, refused])
  )

  /** Of those of this kind that could not begin on this node, itself included, the one that tries last. */
  const lastOf = (kind: string, name: string): Waiting | undefined =>
    (waiting.get(name) ?? [])
      .filter((other) => other.kind === kind)
      .toSorted((a, b) => (b.node.retryTime ?? never).localeCompare(a.node.retryTime ?? never))[0]

  /** What keeps the build from trying on this node now. */
  const blockOf = (build: NixBuild, name: string): NodeStatus | undefined => {
    const own = nodeStatusOf(build, name)
    if (isWaitingForRetry(own, time) || isObstructed(own)) return own
    if (waiting.size === 0) return undefined
    const kind = kindOf(build)
    const refused = refusals.get(kind)
    if (refused !== undefined && refused.uid !== build.metadata.uid) return refused.node
    const last = lastOf(kind, name)
    if (last === undefined || isWaitingForRetry(last.node, time) || isObstructed(last.node)) return last?.node
    const { reason } = last.node
    const isTried =
      tried.has(`${name} ${reason}`) ||
      (waiting.get(name) ?? []).some(
        ({ isTrying, node, uid }) => isTrying && node.reason === reason && uid !== build.metadata.uid
      )
    return isTried ? last.node : undefined
  }

  /** Lets the build try; what its status says of the node if that is news. */
  const take = (build: NixBuild, name: string): ReadonlyArray<NodeStatus> => {
    const last = lastOf(kindOf(build), name)
    if (last === undefined) return []
    const { message, reason } = last.node
    tried.add(`${name} ${reason}`)
    return isHeld(nodeStatusOf(build, name))
      ? []
      : [{ name, attempt: attemptOn(build, name), reason, message: message ?? "", retryTime: time, waits: 0 }]
  }

  return { blockOf, take }
}

export type Queues = ReturnType<typeof makeQueues>

const ofAdmission: ReadonlyArray<Reason> = ["PodRefused", "PodSecurityDenied"]

// Sorts after every time: it tries when the obstacle is gone.
const never = "~"

const waitingOf =
  (build: NixBuild) =>
  (node: NodeStatus): Waiting => ({
    node,
    kind: kindOf(build),
    isTrying: hasSlot(build, node.name),
    uid: build.metadata.uid
  })

const kindOf = ({ metadata, spec }: NixBuild): string =>
  JSON.stringify([metadata.namespace, spec.sandbox, spec.resources ?? null])
