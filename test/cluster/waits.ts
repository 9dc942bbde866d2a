/**
 * Waits for what becomes of the cluster. They watch instead of asking again and
 * again, and all have one bound, which is there for what never comes: a machine
 * that is slow has not failed.
 */
import { Effect, Option, type Result, Schedule, Schema, Stream } from "effect"
import type { Reason } from "../../lib/api/reasons.ts"
import { type Identified, type Kind, ObjectMeta, pathOf } from "../../lib/kubernetes/kind.ts"
import { events, jobs, namespaces, pods } from "../../lib/kubernetes/kinds.ts"
import { conditionsOf, nixBuilds } from "../../lib/api/nixbuild.ts"
import { reading } from "../../lib/kubernetes/cluster.ts"
import { nixBuildAnnotation } from "../../lib/api/annotations.ts"
import { KubernetesApi } from "../../lib/kubernetes/connection.ts"
import type { KubernetesError } from "../../lib/kubernetes/error.ts"
import type { Query } from "../../lib/kubernetes/requests.ts"
import type { Change } from "../../lib/kubernetes/watch.ts"
import { systemNamespace } from "../../lib/kubernetes/system-namespace.ts"
import { CommandFailed } from "../../tools/command.ts"
import { apply, type At, remove } from "./api-server.ts"

// Twenty times what the longest of them takes on two idle processors.
const patience = "15 minutes"

/** The same for commands of kubectl that wait. */
export const patienceFlag = "--timeout=15m"

const within =
  (what: string) =>
  <A, E, R>(self: Effect.Effect<A, E, R>) =>
    Effect.timeoutOrElse(self, {
      duration: patience,
      orElse: () => Effect.fail(new CommandFailed({ message: `${what} did not happen within ${patience}` }))
    })

/** For what is asked while the API server, or what else answers, may be away. */
export const patiently = <A, E, R>(self: Effect.Effect<A, E, R>) =>
  within("an answer")(Effect.retry(self, Schedule.spaced("1 second")))

export const when = <A>(value: A, is: boolean): Option.Option<A> => (is ? Option.some(value) : Option.none())

/** For what no watch tells of: looks until it finds something. */
export const eventually = <A, E, R>(what: string, look: Effect.Effect<Option.Option<A>, E, R>) =>
  look.pipe(
    Effect.repeat({ until: Option.isSome, schedule: Schedule.spaced("500 millis") }),
    Effect.flatMap((found) => Effect.fromOption(found)),
    within(what)
  )

/** How a change changes what is there, by uid. */
const stepOf = Effect.fnUntraced(function* <A extends Identified>(change: Change<Result.Result<A, KubernetesError>>) {
  const objects = yield* Effect.forEach(change._tag === "Listed" ? change.items : [change.object], (object) =>
    Effect.fromResult(object)
  )
  const changed = new Map(objects.map((object) => [object.metadata.uid, object]))
  return (there: ReadonlyMap<string, A>): ReadonlyMap<string, A> => {
    if (change._tag === "Listed") return changed
    if (change._tag === "DELETED") return new Map([...there].filter(([uid]) => !changed.has(uid)))
    return new Map([...there, ...changed])
  }
})

interface Among<A extends Identified> {
  readonly kind: Kind<A>
  readonly namespace: string
  readonly query?: Query
}

/** Waits until the objects of a kind in a namespace, or of those that the query selects, are so. */
export const amongAll = <A extends Identified, B>(
  what: string,
  { kind, namespace, query }: Among<A>,
  look: (all: ReadonlyArray<A>) => Option.Option<B>
) =>
  Effect.gen(function* () {
    const api = yield* KubernetesApi
    const nothing: ReadonlyMap<string, A> = new Map()
    const path = pathOf(kind, namespace === "" ? {} : { namespace })
    const found = yield* api.follow(path, query ?? {}, reading(kind)).pipe(
      Stream.mapEffect((change) => stepOf(change)),
      Stream.scan(
        () => nothing,
        (there: ReadonlyMap<string, A>, step) => step(there)
      ),
      // The first is what is there before the first answer, which is not known.
      Stream.drop(1),
      Stream.map((there) => look([...there.values()])),
      Stream.filter(Option.isSome),
      Stream.runHead
    )
    return yield* Effect.fromOption(Option.flatten(found))
  }).pipe(within(what))

export const becomes = <A extends Identified, B>(
  what: string,
  kind: Kind<A>,
  { name, namespace }: At,
  look: (found: Option.Option<A>) => Option.Option<B>
) =>
  amongAll(what, { kind, namespace, query: { fieldSelector: `metadata.name=${name}` } }, ([found]) =>
    look(Option.fromUndefinedOr(found))
  )

export const gone = (kind: Kind, at: At) =>
  becomes(`${kind.kind} ${at.name} goes`, kind, at, (found) => when(at, Option.isNone(found)))

/** Waits as a user would: returns after success and after failure. */
export const complete = (at: At) =>
  becomes(
    `NixBuild ${at.name} ends`,
    nixBuilds,
    at,
    Option.filter((build) =>
      conditionsOf(build).some(
        ({ status, type, observedGeneration }) =>
          type === "Complete" && status === "True" && observedGeneration === build.metadata.generation
      )
    )
  )

/** The condition that says so, once there is one. */
export const conditionWith = (at: At, reason: Reason) =>
  becomes(
    `${reason} on NixBuild ${at.name}`,
    nixBuilds,
    at,
    Option.flatMapNullishOr((build) => conditionsOf(build).find((one) => one.reason === reason && one.type !== "Ready"))
  )

export const isRunning = (at: At) =>
  becomes(
    `Pod ${at.name} runs`,
    pods,
    at,
    Option.filter((pod) => pod.status?.containerStatuses?.[0]?.state?.running !== undefined)
  )

const Named = Schema.Struct({ metadata: ObjectMeta })

const ServiceAccount: Kind<typeof Named.Type> = {
  apiVersion: "v1",
  kind: "ServiceAccount",
  plural: "serviceaccounts",
  namespaced: true,
  schema: Named
}

/** A namespace of the test's own, without anything of an earlier run. */
export const makeNamespace = Effect.fnUntraced(function* (name: string, labels: Record<string, string> = {}) {
  const at = { namespace: "", name }
  yield* remove(namespaces, at)
  yield* gone(namespaces, at)
  yield* apply({
    apiVersion: "v1",
    kind: "Namespace",
    metadata: { name, labels: { "enbi.hrzn.ee/test": "", ...labels } }
  })
  // Pods are refused until the controller made this.
  yield* becomes(
    `the ServiceAccount of ${name}`,
    ServiceAccount,
    { namespace: name, name: "default" },
    (found) => found
  )
  return name
})

const isFor =
  (at: At) =>
  ({ metadata }: { readonly metadata: ObjectMeta }): boolean =>
    metadata.annotations?.[nixBuildAnnotation] === `${at.namespace}/${at.name}`

/** Neither the namespace nor the system has a Job of this NixBuild any more. */
export const noJobs = (at: At) =>
  Effect.forEach([at.namespace, systemNamespace], (namespace) =>
    amongAll(`the Jobs of ${at.name} go from ${namespace}`, { kind: jobs, namespace }, (all) =>
      when(true, !all.some(isFor(at)))
    )
  )

const Told = Schema.Struct({
  metadata: ObjectMeta,
  type: Schema.String,
  reason: Schema.String,
  message: Schema.String,
  count: Schema.optionalKey(Schema.Int),
  lastTimestamp: Schema.optionalKey(Schema.NullOr(Schema.String))
})

const toldEvents: Kind<typeof Told.Type> = { ...events, schema: Told }

const about = (kind: string, { name, namespace }: At): Among<typeof Told.Type> => ({
  kind: toldEvents,
  namespace,
  query: { fieldSelector: `involvedObject.kind=${kind},involvedObject.name=${name}` }
})

/** The Events of one object, as `kubectl describe` shows them. */
export const eventsOf = (kind: string, at: At) =>
  amongAll(`the Events of ${kind} ${at.name}`, about(kind, at), (all) => Option.some(all))

/** The Event of one object that is wanted, once there is one. */
export const toldSuch = (kind: string, at: At, what: string, isWanted: (event: typeof Told.Type) => boolean) =>
  amongAll(`${what} on ${kind} ${at.name}`, about(kind, at), (all) => Option.fromNullishOr(all.find(isWanted)))

export const told = (kind: string, at: At, reason: string) =>
  toldSuch(kind, at, `Event ${reason}`, (event) => event.reason === reason)
