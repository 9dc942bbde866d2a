/**
 * Who waits behind an obstacle: builds whose Pods Kubernetes takes alike share
 * it on a node. One of them tries, and the others wait for what comes of it:
 *
 *     could not begin ─▶ waits its back-off ─▶ one tries ─┬▶ could not begin
 *                                                         └▶ begins: the next tries at once
 */
import type { Reason } from "../../lib/api/reasons.ts"
import {
  attemptOn,
  isWaitingForRetry,
  type NixBuild,
  type NodeStatus,
  nodeStatusOf,
  wantedNodes
} from "../../lib/api/nixbuild.ts"
import { hasSlot, isHeld, isObstructed } from "../../lib/nixbuild/slots.ts"
import type { Observed } from "./observe.ts"

interface Waiting {
  readonly node: NodeStatus
  /** What Kubernetes can tell its Pod from others by. */
  readonly kind: string
  readonly isTrying: boolean
  readonly uid: string
}

type Input = Pick<Observed, "delivering" | "time" | "unfinished">

export const makeQueues = ({ delivering, time, unfinished }: Input) => {
  const held = [...unfinished, ...delivering].flatMap((build) => {
    const nodes = (build.status?.nodes ?? []).filter(isHeld)
    if (nodes.length === 0) return []
    // Where it is not wanted any more it does not try again, so nobody may wait for what comes of that.
    const wanted = new Set(wantedNodes(build))
    return nodes.filter(({ name }) => wanted.has(name)).map(waitingOf(build))
  })
  const waiting = [...Map.groupBy(held, ({ node }) => node.name).values()].flat()
  // Of those of a kind that could not begin on a node the one that tries last; of those alike the first.
  const last = new Map<string, Waiting>()
  // Who tries what on a node.
  const trying = new Map<string, Set<string>>()
  // Admission says the same of such a Pod on every node.
  const refusals = new Map<string, Waiting>()
  for (const one of waiting) {
    const { isTrying, kind, node, uid } = one
    const before = last.get(`${node.name} ${kind}`)
    if (before === undefined || triesAt(one) > triesAt(before)) last.set(`${node.name} ${kind}`, one)
    const tries = `${node.name} ${node.reason}`
    if (isTrying) trying.set(tries, (trying.get(tries) ?? new Set()).add(uid))
    if (isObstructed(node) && ofAdmission.includes(node.reason)) refusals.set(kind, one)
  }
  const tried = new Set<string>()

  /** What keeps the build from trying on a node now. */
  const blocksOf = (build: NixBuild) => {
    const { uid } = build.metadata
    const kind = waiting.length === 0 ? "" : kindOf(build)
    const refused = refusals.get(kind)
    return (name: string): NodeStatus | undefined => {
      const own = nodeStatusOf(build, name)
      if (isWaitingForRetry(own, time) || isObstructed(own)) return own
      if (refused !== undefined && refused.uid !== uid) return refused.node
      const node = last.get(`${name} ${kind}`)?.node
      if (node === undefined || isWaitingForRetry(node, time) || isObstructed(node)) return node
      const tries = `${name} ${node.reason}`
      const others = trying.get(tries)
      const isTried = tried.has(tries) || (others !== undefined && others.size > (others.has(uid) ? 1 : 0))
      return isTried ? node : undefined
    }
  }

  /** Lets the build try; what its status says of the node if that is news. */
  const take = (build: NixBuild, name: string): ReadonlyArray<NodeStatus> => {
    const node = waiting.length === 0 ? undefined : last.get(`${name} ${kindOf(build)}`)?.node
    if (node === undefined) return []
    const { message, reason } = node
    tried.add(`${name} ${reason}`)
    return isHeld(nodeStatusOf(build, name))
      ? []
      : [{ name, attempt: attemptOn(build, name), reason, message: message ?? "", retryTime: time, waits: 0 }]
  }

  return { blocksOf, take }
}

export type Queues = ReturnType<typeof makeQueues>

const ofAdmission: ReadonlyArray<Reason> = ["PodRefused", "PodSecurityDenied"]

// Without a time, which sorts after every time, it tries when the obstacle is gone.
const triesAt = ({ node }: Waiting): string => node.retryTime ?? "~"

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
