/**
 * Carries out what a function decided, in order, and stops at the first action
 * that fails: the object is then observed again and the rest decided again. If
 * the decision is about many objects, one that changed meanwhile stops only the
 * actions that depend on it. This is the only code that writes to the cluster.
 */
import { Effect, Option, Schema } from "effect"
import { type Action, objectOf } from "./action.ts"
import { keyOf, type Kind, kindNamed, ObjectMeta, type Reference } from "../kubernetes/kind.ts"
import { Cluster } from "../kubernetes/cluster.ts"
import { KubernetesError } from "../kubernetes/error.ts"
import type { Applied } from "./observers.ts"
import { isLastingRefusal } from "./refusals.ts"

/** An object with the name that we computed exists, but is not ours or is being deleted. */
export class NameTaken extends Schema.TaggedError<NameTaken>()("NameTaken", { message: Schema.String }) {}

/** The API server rejects a change or a new object: because of a quota, a policy or a webhook. */
export class Refused extends Schema.TaggedError<Refused>()("Refused", {
  kind: Schema.String,
  name: Schema.String,
  message: Schema.String,
  /** What the API server answered. */
  answer: Schema.instanceOf(KubernetesError)
}) {}

/** The other objects that an action builds on, whose writes come before it. */
export type RestsOn = (action: Action<string>) => ReadonlyArray<Reference>

interface Course {
  /** Called after each action that was carried out. */
  readonly onApplied: (applied: Applied) => void
  /** Absent: all that follows builds on each. */
  readonly restsOn?: RestsOn | undefined
}

export const interpret = Effect.fn("interpret")(function* (
  actions: ReadonlyArray<Action<string>>,
  { onApplied, restsOn }: Course
) {
  const stopped = new Set<string>()
  const failures: Array<KubernetesError | NameTaken> = []
  for (const action of actions) {
    const object = objectOf(action)
    const isStopped = [object, ...(restsOn?.(action) ?? [])].some((about) => stopped.has(keyOf(about)))
    if (isStopped) stopped.add(keyOf(object))
    else {
      const done = yield* carryOut(action).pipe(
        Effect.catchIf(
          (error): error is KubernetesError | NameTaken => restsOn !== undefined && isOfItsObject(error),
          (error) => Effect.sync(() => void failures.push(error))
        )
      )
      if (done === undefined) stopped.add(keyOf(object))
      else onApplied({ action, ...done })
    }
  }
  const [first] = [...failures.filter(isConflict), ...failures]
  if (first !== undefined) return yield* Effect.fail(first)
})

export const isConflict = (error: KubernetesError | NameTaken | Refused): boolean =>
  error._tag === "KubernetesError" && error.isConflict

/** It says nothing of how other objects would fare. */
const isOfItsObject = (error: KubernetesError | NameTaken | Refused): boolean =>
  error._tag === "NameTaken" || isConflict(error)

const carryOut = Effect.fnUntraced(function* (
  action: Action<string>
): Effect.fn.Return<Omit<Applied, "action">, KubernetesError | NameTaken | Refused, Cluster> {
  const cluster = yield* Cluster
  if (action.action === "Create") return yield* create(action.object)
  const { kind, name, namespace, resourceVersion, uid } = action.target
  const target = { kind: yield* named(kind), name, namespace }
  const metadata = { uid, resourceVersion }
  if (action.action === "Delete") {
    const precondition = action.ifUnchanged === true ? metadata : { uid }
    yield* asRefused(
      action.target,
      cluster.remove({ ...target, ...precondition }).pipe(
        Effect.catchIf(
          (error) => error.isMissing,
          () => Effect.void
        )
      )
    )
    return {}
  }
  if (action.action === "PatchStatus") {
    yield* asRefused(
      action.target,
      cluster.patch({ ...target, subresource: "status" }, { metadata, status: action.status })
    )
    return {}
  }
  const patched = action.patch["metadata"]
  yield* asRefused(
    action.target,
    cluster.patch(target, {
      ...action.patch,
      metadata: typeof patched === "object" ? { ...patched, ...metadata } : metadata
    })
  )
  return {}
})

const named = (name: string): Effect.Effect<Kind> =>
  Effect.suspend(() => {
    const kind = kindNamed(name)
    return kind === undefined ? Effect.die(new Error(`${name} is no kind that was declared`)) : Effect.succeed(kind)
  })

const asRefused = <A, R>(
  { kind, name }: { readonly kind: string; readonly name: string },
  self: Effect.Effect<A, KubernetesError, R>
): Effect.Effect<A, KubernetesError | Refused, R> =>
  Effect.catchIf(
    self,
    (error) => error.isObjection,
    (answer) => Effect.fail(new Refused({ kind, name, message: answer.message, answer }))
  )

const create = Effect.fnUntraced(function* (object: Extract<Action<string>, { action: "Create" }>["object"]) {
  const cluster = yield* Cluster
  const kind = yield* named(object.kind)
  return yield* cluster.create(kind, object).pipe(
    Effect.map(createdOf),
    Effect.catchIf(
      (error) => error.status === 409 && error.reason === "AlreadyExists",
      () => Effect.as(mustBeOurs(object), {})
    ),
    Effect.catchIf(
      (error): error is KubernetesError => error._tag === "KubernetesError" && error.isObjection,
      (answer) => {
        const { name } = object.metadata
        const refused = new Refused({ kind: object.kind, name, message: answer.message, answer })
        // An Event only tells; a quota that refuses it must not stop the work.
        return object.kind === "Event" ? untold(refused) : Effect.fail(refused)
      }
    )
  )
})

const untold = Effect.fnUntraced(function* (refused: Refused) {
  const { answer, kind, name } = refused
  const isLasting = yield* isLastingRefusal({ what: "Events", about: { kind, name }, error: answer })
  if (answer.isRetryable && !isLasting) return yield* Effect.fail(refused)
  yield* Effect.logWarning("an Event was refused", answer)
  return {}
})

const createdOf = (object: unknown): Omit<Applied, "action"> =>
  Option.match(Schema.decodeUnknownOption(WithMetadata)(object), {
    onNone: () => ({}),
    onSome: ({ metadata }) => ({ created: metadata })
  })

// The name was computed from the owner, so what is there is most likely ours
// from an earlier try whose answer got lost. The labels tell.
const mustBeOurs = Effect.fnUntraced(function* (object: Extract<Action<string>, { action: "Create" }>["object"]) {
  const cluster = yield* Cluster
  const { name, namespace } = object.metadata
  const labels = Object.entries(
    Option.getOrElse(Schema.decodeUnknownOption(Labelled)(object.metadata), (): typeof Labelled.Type => ({})).labels ??
      {}
  )
  const there = yield* cluster.getFresh({ ...(yield* named(object.kind)), schema: WithMetadata }, { name, namespace })
  const isOurs =
    Option.isSome(there) &&
    there.value.metadata.deletionTimestamp === undefined &&
    labels.every(([key, value]) => there.value.metadata.labels?.[key] === value)
  if (!isOurs) {
    return yield* new NameTaken({
      message: `${object.kind} ${namespace ?? ""}/${name} exists but is not ours or is being deleted; delete it if it is not needed`
    })
  }
})

const Labelled = Schema.Struct({ labels: Schema.optionalKey(Schema.Record(Schema.String, Schema.String)) })
const WithMetadata = Schema.Struct({ metadata: ObjectMeta })
