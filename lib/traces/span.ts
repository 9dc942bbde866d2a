/**
 * What a trace is made of. All that becomes of one NixBuild is one trace,
 * whichever process tells of it and however often it was restarted: the ids
 * are computed from the NixBuild's uid, so nothing has to be remembered or
 * handed on. A phase told twice is the same span twice, not two.
 */
import { createHash } from "node:crypto"
import type { Reason } from "../api/condition.ts"
import type { NixBuild } from "../api/nixbuild.ts"
import { secondsBetween } from "../time.ts"

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

/**
 * What lies between a Pod that can't start and the Pod that runs:
 *
 * | phase      | from                     | to                               |
 * |------------|--------------------------|----------------------------------|
 * | pod-waits  | the Pod can't start      | the NixBuild for it is there     |
 * | queue      | the NixBuild's creation  | `Scheduled`                      |
 * | prepare    | `Scheduled`              | `Launched`: the volume is there  |
 * | build      | the build Job's creation | its end                          |
 * | import     | the import Job's creation | its end                         |
 * | pod-starts | the Pod is woken         | its container runs               |
 * | nixbuild   | the NixBuild's creation  | `Complete`; parent of all others |
 */
export interface Phase {
  readonly name: "pod-waits" | "queue" | "prepare" | "build" | "import" | "pod-starts" | "nixbuild"
  readonly build: Pick<NixBuild, "metadata">
  /** Tells apart what a NixBuild has several of: the Pod, or the node and attempt. */
  readonly key: ReadonlyArray<string>
  readonly from: string
  readonly to: string
  readonly attributes?: Attributes
  readonly error?: Reason
}

const hex = (length: number, ...parts: ReadonlyArray<string>): string =>
  createHash("sha256").update(JSON.stringify(parts)).digest("hex").slice(0, length)

/** A uid without its dashes, so that whoever has the NixBuild has its trace; an API server's uids are UUIDs. */
export const traceIdOf = (uid: string): string => {
  const digits = uid.replaceAll("-", "")
  return /^[0-9a-f]{32}$/.test(digits) ? digits : hex(32, uid)
}

/** The same parts, the same id. */
export const spanIdOf = (...parts: ReadonlyArray<string>): string => hex(16, ...parts)

/** The span of the NixBuild's first way to its end, under which all others are. */
export const rootIdOf = (uid: string): string => spanIdOf(uid, "nixbuild")

/** On every span of a NixBuild. */
export const buildAttributes = ({ metadata: { name, namespace, uid } }: Pick<NixBuild, "metadata">): Attributes => ({
  "k8s.namespace.name": namespace,
  "enbi.nixbuild.name": name,
  "enbi.nixbuild.uid": uid
})

export const spanOfPhase = ({ attributes, build, error, from, key, name, to }: Phase): Span => {
  const { uid } = build.metadata
  const spanId = spanIdOf(uid, name, ...key)
  const root = rootIdOf(uid)
  return {
    traceId: traceIdOf(uid),
    spanId,
    ...(spanId === root ? {} : { parentSpanId: root }),
    name,
    kind: "internal",
    startTime: from,
    // The API server's clock, which gives creation times, may be ahead of ours, and a node's of both.
    endTime: secondsBetween(from, to) < 0 ? from : to,
    attributes: { ...buildAttributes(build), ...attributes },
    ...(error === undefined ? {} : { error })
  }
}
