/**
 * What a trace is made of. Everything that happens to one object of ours is one
 * trace, whichever process exports it and however often that was restarted: the
 * ids are computed from the object's uid, so nothing has to be remembered or
 * passed on. A phase exported twice is the same span twice, not two.
 */
import { createHash } from "node:crypto"
import type { ObjectMeta } from "../kubernetes/kind.ts"
import { secondsBetween } from "../kubernetes/time.ts"

/** A span as it is exported; times are RFC 3339. */
export interface Span {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly name: string
  readonly kind: "internal" | "consumer"
  readonly startTime: string
  readonly endTime: string
  readonly attributes: Attributes
  /** Why what it shows failed. */
  readonly error?: string
  readonly link?: { readonly traceId: string; readonly spanId: string }
}

/** Takes spans at once and sends them later; never fails. */
export type Export = (spans: ReadonlyArray<Span>) => void

/** Names are OpenTelemetry's where it has one, otherwise they begin with `enbi.`; what is undefined is left out. */
export type Attributes = Readonly<Record<string, string | number | undefined>>

/** The object whose trace it is: of a kind of ours. */
export interface Root {
  readonly kind: string
  readonly metadata: Pick<ObjectMeta, "name" | "namespace" | "uid">
}

/** Something that lasted; the one that has the name of the root's kind, in lower case, is the parent of all others. */
export interface Phase {
  readonly name: string
  readonly root: Root
  /** Tells apart what a root has several of. */
  readonly key: ReadonlyArray<string>
  readonly from: string
  readonly to: string
  readonly attributes?: Attributes
  readonly error?: string
}

const hex = (length: number, ...parts: ReadonlyArray<string>): string =>
  createHash("sha256").update(JSON.stringify(parts)).digest("hex").slice(0, length)

/** A uid without its dashes, so the NixBuild leads to its trace; an API server's uids are UUIDs. */
export const traceIdOf = (uid: string): string => {
  const digits = uid.replaceAll("-", "")
  return /^[0-9a-f]{32}$/.test(digits) ? digits : hex(32, uid)
}

/** The same parts, the same id. */
export const spanIdOf = (...parts: ReadonlyArray<string>): string => hex(16, ...parts)

/** The span of the object's first way to its end, under which all others are. */
export const rootIdOf = ({ kind, metadata: { uid } }: Root): string => spanIdOf(uid, kind.toLowerCase())

/** On every span of the object's trace. */
export const rootAttributes = ({ kind, metadata: { name, namespace, uid } }: Root): Attributes => ({
  "k8s.namespace.name": namespace,
  [`enbi.${kind.toLowerCase()}.name`]: name,
  [`enbi.${kind.toLowerCase()}.uid`]: uid
})

export const spanOfPhase = ({ attributes, error, from, key, name, root, to }: Phase): Span => {
  const { uid } = root.metadata
  const spanId = spanIdOf(uid, name, ...key)
  const rootId = rootIdOf(root)
  return {
    traceId: traceIdOf(uid),
    spanId,
    ...(spanId === rootId ? {} : { parentSpanId: rootId }),
    name,
    kind: "internal",
    startTime: from,
    // The API server's clock, which gives creation times, may be ahead of ours, and a node's of both.
    endTime: secondsBetween(from, to) < 0 ? from : to,
    attributes: { ...rootAttributes(root), ...attributes },
    ...(error === undefined ? {} : { error })
  }
}
