/**
 * What an API server keeps: objects with uids, resourceVersions and
 * generations, and a log of every change, which is what watches are fed from.
 */
import { Effect, Schema } from "effect"
import { keyOf, kindNamed, KubernetesObject, ObjectMeta } from "../kubernetes/kind.ts"
import { KubernetesError } from "../kubernetes/error.ts"
import { hash10 } from "../hash.ts"
import { currentTime } from "../kubernetes/time.ts"

const Fields = Schema.Record(Schema.String, Schema.Unknown)
export type Fields = typeof Fields.Type

export const Stored = Schema.StructWithRest(
  Schema.Struct({
    apiVersion: Schema.String,
    kind: Schema.String,
    metadata: Schema.StructWithRest(ObjectMeta, [Fields])
  }),
  [Fields]
)
export type Stored = typeof Stored.Type

/** Names one object; `namespace` is absent for what belongs to the whole cluster. */
export interface At {
  readonly kind: string
  readonly namespace?: string | undefined
  readonly name: string
}

export interface Logged {
  readonly verb: "ADDED" | "MODIFIED" | "DELETED"
  readonly object: Stored
  readonly before: Stored | undefined
  /** How many objects there have been under this name. */
  readonly incarnations: number
}

export const refuse = (status: number, reason: string, message: string) =>
  Effect.fail(new KubernetesError({ status, reason, message }))

export const isFields = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const mergePatch = (value: unknown, patch: unknown): unknown => {
  if (!isFields(patch)) return patch
  const merged = { ...(isFields(value) ? value : {}) }
  for (const [key, change] of Object.entries(patch)) {
    if (change === null) delete merged[key]
    else merged[key] = mergePatch(merged[key], change)
  }
  return merged
}

/** What a generation counts: all but the metadata and the status, wherever a kind keeps it. */
const contentOf = (object: Stored): Fields =>
  Object.fromEntries(Object.entries(object).filter(([key]) => key !== "metadata" && key !== "status"))

const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b)

// As the CRD's default gives it.
const initialOf = (name: string): Fields => {
  const initialStatus = kindNamed(name)?.initialStatus
  return initialStatus === undefined ? {} : { status: initialStatus }
}

/** The same in every run, whatever the order of things was. */
const uidOfIncarnation = (at: At, incarnation: number): string => `uid-${hash10(keyOf(at), String(incarnation))}`

export interface ObjectsOptions {
  /** The uid of what is created; `incarnation`: how many objects there have been under this name, with it. */
  readonly uidOf?: (at: At, incarnation: number) => string
}

export const makeObjects = ({ uidOf = uidOfIncarnation }: ObjectsOptions = {}) => {
  const objects = new Map<string, Stored>()
  const log: Array<Logged> = []
  const observers: Array<(logged: Logged) => void> = []
  const incarnations = new Map<string, number>()
  let version = 0

  const publish = (change: Omit<Logged, "incarnations">) => {
    const { kind, metadata } = change.object
    const logged = { ...change, incarnations: incarnations.get(keyOf({ ...metadata, kind })) ?? 0 }
    log.push(logged)
    for (const observe of observers) observe(logged)
  }

  const put = Effect.fnUntraced(function* (object: unknown, before: Stored | undefined) {
    const stored = yield* Schema.decodeUnknownEffect(Stored)(object).pipe(Effect.orDie)
    objects.set(keyOf({ ...stored.metadata, kind: stored.kind }), stored)
    publish({ verb: before === undefined ? "ADDED" : "MODIFIED", object: stored, before })
    return stored
  })

  const find = (at: At) =>
    Effect.suspend(() => {
      const stored = objects.get(keyOf(at))
      return stored === undefined ? refuse(404, "NotFound", `${keyOf(at)} not found`) : Effect.succeed(stored)
    })

  const mustBeNew = (at: At) =>
    Effect.suspend(() =>
      objects.has(keyOf(at)) ? refuse(409, "AlreadyExists", `${keyOf(at)} already exists`) : Effect.void
    )

  const create = Effect.fnUntraced(function* (object: KubernetesObject) {
    const at = { ...object.metadata, kind: object.kind }
    yield* mustBeNew(at)
    version += 1
    const incarnation = (incarnations.get(keyOf(at)) ?? 0) + 1
    incarnations.set(keyOf(at), incarnation)
    const metadata = {
      ...object.metadata,
      uid: uidOf(at, incarnation),
      resourceVersion: String(version),
      generation: 1,
      creationTimestamp: yield* currentTime
    }
    return yield* put({ ...initialOf(object.kind), ...object, metadata }, undefined)
  })

  /** As it was elsewhere: with its uid, its generation and its age. */
  const restore = Effect.fnUntraced(function* (object: Stored) {
    const at = { ...object.metadata, kind: object.kind }
    yield* mustBeNew(at)
    version += 1
    incarnations.set(keyOf(at), (incarnations.get(keyOf(at)) ?? 0) + 1)
    return yield* put({ ...object, metadata: { ...object.metadata, resourceVersion: String(version) } }, undefined)
  })

  /** A JSON merge patch of everything but the status, or of the status alone. */
  const patch = Effect.fnUntraced(function* (at: At & { readonly subresource?: "status" | undefined }, fields: Fields) {
    const before = yield* find(at)
    const asked = isFields(fields["metadata"]) ? fields["metadata"] : {}
    const isStale =
      (asked["uid"] !== undefined && asked["uid"] !== before.metadata.uid) ||
      (asked["resourceVersion"] !== undefined && asked["resourceVersion"] !== before.metadata.resourceVersion)
    if (isStale) return yield* refuse(409, "Conflict", `${at.name} was changed`)
    const { status, ...rest } = fields
    const merged = mergePatch(before, at.subresource === undefined ? rest : { status })
    const after = yield* Schema.decodeUnknownEffect(Stored)(merged).pipe(Effect.orDie)
    if (same(before, after)) return before
    version += 1
    const generation = (before.metadata.generation ?? 1) + (same(contentOf(after), contentOf(before)) ? 0 : 1)
    const metadata = { ...after.metadata, generation, resourceVersion: String(version) }
    return yield* put({ ...after, metadata }, before)
  })

  const remove = Effect.fnUntraced(function* (at: At & { readonly uid?: unknown }) {
    const gone = yield* find(at)
    if (at.uid !== undefined && at.uid !== gone.metadata.uid) return yield* refuse(409, "Conflict", "another uid")
    version += 1
    objects.delete(keyOf(at))
    // A deletion has a resourceVersion of its own, newer than all earlier ones of the object.
    const object = { ...gone, metadata: { ...gone.metadata, resourceVersion: String(version) } }
    publish({ verb: "DELETED", object, before: gone })
  })

  return { objects, log, observers, find, mustBeNew, create, restore, patch, remove, newest: () => String(version) }
}

export type Objects = ReturnType<typeof makeObjects>
