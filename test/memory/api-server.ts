/**
 * An API server in memory, as the functions see one: uids, resourceVersions,
 * conflicts, generations, the status subresource, owner references, and a log
 * of what was written. It tells of each change, and the test decides what
 * becomes of that news.
 */
import { Effect, Layer, Option, Schema } from "effect"
import { type Kind, KubernetesObject, ObjectMeta } from "../../lib/api/kind.ts"
import { Cluster, decodeAs, type Selection } from "../../lib/cluster.ts"
import type { CloudEvent } from "../../lib/events.ts"
import { KubernetesError } from "../../lib/kube/error.ts"
import { hash10 } from "../../lib/names.ts"
import { currentTime } from "../../lib/time.ts"

const Fields = Schema.Record(Schema.String, Schema.Unknown)
type Fields = typeof Fields.Type
const Stored = Schema.StructWithRest(
  Schema.Struct({
    apiVersion: Schema.String,
    kind: Schema.String,
    metadata: Schema.StructWithRest(ObjectMeta, [Fields])
  }),
  [Fields]
)
type Stored = typeof Stored.Type

const refuse = (status: number, reason: string, message: string) =>
  Effect.fail(new KubernetesError({ status, reason, message }))

const isFields = (value: unknown): value is Fields =>
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

const keyOf = (
  kind: string,
  { name, namespace = "" }: { readonly name: string; readonly namespace?: string | undefined }
) => `${kind}/${namespace}/${name}`

const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b)

/** A write that is not done, or one that is done without an answer. */
export type Fault = "lost" | "unanswered"

export const makeApiServer = () => {
  const objects = new Map<string, Stored>()
  const news: Array<CloudEvent> = []
  const history: Array<CloudEvent> = []
  const attempts: Array<string> = []
  const writes: Array<string> = []
  const faults: Array<Fault | undefined> = []
  const births = new Map<string, number>()
  let version = 0

  const store = Effect.fnUntraced(function* (verb: "add" | "update", object: unknown) {
    const stored = yield* Schema.decodeUnknownEffect(Stored)(object).pipe(Effect.orDie)
    objects.set(keyOf(stored.kind, stored.metadata), stored)
    tell(verb, stored)
    return yield* Schema.decodeUnknownEffect(KubernetesObject)(object).pipe(Effect.orDie)
  })

  const tell = (verb: "add" | "update" | "delete", { kind, metadata }: Stored) => {
    const event: CloudEvent = {
      specversion: "1.0",
      id: `${metadata.uid}.${metadata.resourceVersion}.${verb}`,
      source: "memory",
      type: `dev.knative.apiserver.resource.${verb}`,
      kind,
      ...(metadata.namespace === undefined ? {} : { namespace: metadata.namespace }),
      name: metadata.name
    }
    news.push(event)
    history.push(event)
  }

  const create = Effect.fnUntraced(function* (object: KubernetesObject) {
    const key = keyOf(object.kind, object.metadata)
    if (objects.has(key)) return yield* refuse(409, "AlreadyExists", `${key} already exists`)
    version += 1
    const birth = (births.get(key) ?? 0) + 1
    births.set(key, birth)
    const metadata = {
      ...object.metadata,
      // The same in every run, whatever the order of things was.
      uid: `uid-${hash10(key, String(birth))}`,
      resourceVersion: String(version),
      generation: 1,
      creationTimestamp: yield* currentTime
    }
    return yield* store("add", { ...object, metadata })
  })

  const find = Effect.fnUntraced(function* (
    kind: string,
    at: { readonly name: string; readonly namespace?: string | undefined }
  ) {
    const stored = objects.get(keyOf(kind, at))
    return stored ?? (yield* refuse(404, "NotFound", `${keyOf(kind, at)} not found`))
  })

  const patch: Patch = Effect.fnUntraced(function* (target, patch) {
    const before = yield* find(target.kind.kind, target)
    const asked = isFields(patch["metadata"]) ? patch["metadata"] : {}
    const isStale =
      (asked["uid"] !== undefined && asked["uid"] !== before.metadata.uid) ||
      (asked["resourceVersion"] !== undefined && asked["resourceVersion"] !== before.metadata.resourceVersion)
    if (isStale) return yield* refuse(409, "Conflict", `${target.name} was changed`)
    const merged = mergePatch(before, target.subresource === undefined ? patch : { status: patch["status"] })
    const { metadata, ...rest } = yield* Schema.decodeUnknownEffect(Stored)(merged).pipe(Effect.orDie)
    if (same(before, { ...rest, metadata }))
      return yield* Schema.decodeUnknownEffect(KubernetesObject)(before).pipe(Effect.orDie)
    version += 1
    const isSpecNew = !same(rest["spec"], before["spec"])
    const generation = (before.metadata.generation ?? 1) + (isSpecNew ? 1 : 0)
    return yield* store("update", { ...rest, metadata: { ...metadata, generation, resourceVersion: String(version) } })
  })

  const remove = Effect.fnUntraced(function* (
    kind: string,
    at: { readonly name: string; readonly namespace?: string | undefined; readonly uid?: string }
  ) {
    const gone = yield* find(kind, at)
    if (at.uid !== undefined && at.uid !== gone.metadata.uid) return yield* refuse(409, "Conflict", "another uid")
    const doomed = [gone]
    for (const owner of doomed) {
      objects.delete(keyOf(owner.kind, owner.metadata))
      tell("delete", owner)
      doomed.push(...[...objects.values()].filter((object) => isOwnedBy(object, owner.metadata.uid)))
    }
  })

  const write = Effect.fnUntraced(function* <A, R>(what: string, self: Effect.Effect<A, KubernetesError, R>) {
    attempts.push(what)
    const fault = faults.shift()
    if (fault === "lost") return yield* refuse(503, "ServiceUnavailable", "the request was lost")
    const result = yield* self
    if (fault === "unanswered") return yield* refuse(0, "Timeout", "it was done, but nobody said so")
    writes.push(what)
    return result
  })

  const cluster = Cluster.of({
    get: (kind, at) =>
      Effect.flatMap(
        Effect.sync(() => objects.get(keyOf(kind.kind, at))),
        decodeIfThere(kind)
      ),
    getFresh: (kind, at) =>
      Effect.flatMap(
        Effect.sync(() => objects.get(keyOf(kind.kind, at))),
        decodeIfThere(kind)
      ),
    list: (kind, selection) =>
      Effect.suspend(() =>
        Effect.forEach(
          [...objects.values()].filter(
            (object) => object.kind === kind.kind && isSelected(object, { kind, selection })
          ),
          decodeAs(kind)
        )
      ),
    dryRunCreate: (_kind, object) => Effect.succeed(object),
    create: (_kind, object) => write(`create ${keyOf(object.kind, object.metadata)}`, create(object)),
    patch: (target, body) =>
      write(
        `patch ${keyOf(target.kind.kind, target)}${target.subresource === undefined ? "" : "/status"}`,
        patch(target, body)
      ),
    remove: (target) => write(`delete ${keyOf(target.kind.kind, target)}`, remove(target.kind.kind, target))
  })

  return {
    layer: Layer.succeed(Cluster, cluster),
    objects,
    /** What the functions tried to write, in order. */
    attempts,
    /** What they know to be written. */
    writes,
    /** What changed and was not yet told to anybody. */
    news,
    /** What becomes of the next writes. */
    faults,
    /** All that ever changed. */
    history,
    /** What others do: users, kubelet, the Job controller. Not counted as writes. */
    others: { create, patch, remove }
  }
}

export type ApiServer = ReturnType<typeof makeApiServer>
type Patch = (typeof Cluster)["Service"]["patch"]

const decodeIfThere =
  <A>(kind: Kind<A>) =>
  (object: Stored | undefined) =>
    object === undefined ? Effect.succeed(Option.none<A>()) : Effect.map(decodeAs(kind)(object), Option.some)

const isOwnedBy = ({ metadata }: Stored, uid: string): boolean => {
  const owners = metadata["ownerReferences"]
  return Array.isArray(owners) && owners.some((owner) => isFields(owner) && owner["uid"] === uid)
}

const isSelected = (
  { metadata, spec }: Stored,
  { kind, selection = {} }: { readonly kind: Kind<unknown>; readonly selection: Selection | undefined }
): boolean => {
  const [key = "", value] = kind.selector?.split("=") ?? []
  return (
    (value === undefined || metadata.labels?.[key] === value) &&
    (selection.namespace === undefined || metadata.namespace === selection.namespace) &&
    (selection.nodeName === undefined || (isFields(spec) && spec["nodeName"] === selection.nodeName)) &&
    Object.entries(selection.labels ?? {}).every(([key, value]) => metadata.labels?.[key] === value)
  )
}
