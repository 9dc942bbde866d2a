/**
 * The cluster as the functions see it: read an object, write an object. On
 * Knative each read is a request; `embedded/` puts a watch cache before the API
 * server; tests put one in memory in its place.
 */
import type { V1DeleteOptions } from "@kubernetes/client-node"
import { Context, Effect, Layer, Option, Result, Schema } from "effect"
import { type Identified, type Kind, KubernetesObject, pathOf } from "./kind.ts"
import { manifest } from "./manifest.ts"
import { answers, type Question, type Selector } from "./question.ts"
import { KubernetesApi } from "./connection.ts"
import type { Body, Query } from "./requests.ts"
import { KubernetesError } from "./error.ts"

/** Names one object to write to. */
export interface Target {
  readonly kind: Kind
  readonly namespace?: string | undefined
  readonly name: string
}

type Get = <A extends Identified>(
  kind: Kind<A>,
  at: { readonly namespace?: string | undefined; readonly name: string }
) => Effect.Effect<Option.Option<A>, KubernetesError>

type List = <A extends Identified>(question: Question<A>) => Effect.Effect<ReadonlyArray<A>, KubernetesError>

export class Cluster extends Context.Service<
  Cluster,
  {
    readonly get: Get
    /** Past any cache: for what must not be decided on an old copy. */
    readonly getFresh: Get
    readonly list: List
    /** Past any cache, as `getFresh`. */
    readonly listFresh: List
    readonly create: (kind: Kind, object: KubernetesObject) => Effect.Effect<KubernetesObject, KubernetesError>
    /** What would be stored if `object` were created, admission included; nothing is. */
    readonly dryRunCreate: (kind: Kind, object: KubernetesObject) => Effect.Effect<KubernetesObject, KubernetesError>
    /** A JSON merge patch; refused as a Conflict unless it carries the current uid and resourceVersion. */
    readonly patch: (
      target: Target & { readonly subresource?: "status" },
      patch: Readonly<Record<string, unknown>>
    ) => Effect.Effect<KubernetesObject, KubernetesError>
    /** In the background, dependents too; refused as a Conflict when the object is another, or another version, than the one named. */
    readonly remove: (
      target: Target & { readonly uid: string; readonly resourceVersion?: string }
    ) => Effect.Effect<void, KubernetesError>
  }
>()("enbi/lib/kubernetes/Cluster") {}

/** For what follows from an object's absence: one that the cache does not have may only be new, so it is asked for past it. */
export const getConfirmed = Effect.fnUntraced(function* <A extends Identified>(
  kind: Kind<A>,
  at: { readonly namespace?: string | undefined; readonly name: string }
) {
  const cluster = yield* Cluster
  const seen = yield* cluster.get(kind, at)
  return Option.isSome(seen) ? seen : yield* cluster.getFresh(kind, at)
})

const malformed = (cause: Schema.SchemaError) =>
  new KubernetesError({ status: 0, reason: "Malformed", message: cause.message, cause })

const json = (value: unknown): Body => ({ type: "application/json", value })

/** The query of a list: label and field selectors. */
export const queryOf = (kind: Kind, { fields = [], labels = {} }: Selector = {}): Query => {
  const terms = [
    ...(kind.selector === undefined ? [] : [kind.selector]),
    ...Object.entries(labels).map(([key, value]) => `${key}=${value}`)
  ]
  return {
    ...(terms.length === 0 ? {} : { labelSelector: terms.join(",") }),
    ...(fields.length === 0 ? {} : { fieldSelector: fields.join(",") })
  }
}

/** The part of an object that we read, or why it cannot be decoded. */
export const reading = <A extends Identified>({ schema }: Pick<Kind<A>, "schema">) => {
  const decode = Schema.decodeUnknownResult(schema)
  return (object: unknown): Result.Result<A, KubernetesError> => Result.mapError(decode(object), malformed)
}

export const decodeAs = <A extends Identified>(kind: Pick<Kind<A>, "schema">) => {
  const read = reading(kind)
  return (object: unknown): Effect.Effect<A, KubernetesError> => Effect.suspend(() => Effect.fromResult(read(object)))
}

const decodeObject = (object: unknown) =>
  Schema.decodeUnknownEffect(KubernetesObject)(object).pipe(Effect.mapError(malformed))

/** Without the watch. */
type Api = Pick<(typeof KubernetesApi)["Service"], "request" | "list">

export const getFrom =
  (api: Api): Get =>
  (kind, at) =>
    api.request("GET", pathOf(kind, at)).pipe(
      Effect.flatMap(decodeAs(kind)),
      Effect.map(Option.some),
      Effect.catchIf(
        (error) => error.isMissing,
        () => Effect.succeedNone
      )
    )

const listWith = <A extends Identified>(api: Api, { kind, selector }: Question<A>) =>
  Effect.map(api.list(pathOf(kind, selector), queryOf(kind, selector), reading(kind)), ({ items }) => items)

export const listFrom =
  (api: Api): List =>
  (question) =>
    listWith(api, question).pipe(
      Effect.flatMap((items) => Effect.forEach(items, (item) => Effect.fromResult(item))),
      Effect.map((found) => found.filter((object) => answers(question, object)))
    )

export const writesOf = (
  api: Api
): Pick<(typeof Cluster)["Service"], "create" | "dryRunCreate" | "patch" | "remove"> => {
  const create = (kind: Kind, object: KubernetesObject, query: Query) =>
    api
      .request("POST", pathOf(kind, { namespace: object.metadata.namespace }), {
        query: { ...query, fieldValidation: "Strict", fieldManager: "enbi-functions" },
        body: json(object)
      })
      .pipe(Effect.flatMap(decodeObject))
  return {
    create: (kind, object) => create(kind, object, {}),
    dryRunCreate: (kind, object) => create(kind, object, { dryRun: "All" }),
    patch: ({ subresource, ...target }, patch) =>
      api
        .request("PATCH", `${pathOf(target.kind, target)}${subresource === undefined ? "" : `/${subresource}`}`, {
          query: { fieldValidation: "Strict", fieldManager: "enbi-functions" },
          body: { type: "application/merge-patch+json", value: patch }
        })
        .pipe(Effect.flatMap(decodeObject)),
    remove: ({ kind, name, namespace, ...known }) =>
      api.request("DELETE", pathOf(kind, { name, namespace }), {
        body: json(
          manifest<V1DeleteOptions>()({
            apiVersion: "v1",
            kind: "DeleteOptions",
            preconditions: known,
            propagationPolicy: "Background"
          })
        )
      })
  }
}

/** Without a cache: what is read is what is there. Whatever can't be read is left alone, as the cache does. */
export const live = (api: Api): (typeof Cluster)["Service"] => {
  const get = getFrom(api)
  return Cluster.of({
    get: (kind, at) => Effect.catchIf(get(kind, at), isUnreadable, leaveAlone(kind)),
    getFresh: get,
    list: (question) =>
      listWith(api, question).pipe(
        Effect.flatMap((items) =>
          Effect.forEach(items, (item) =>
            Effect.fromResult(item).pipe(Effect.map(Option.some), Effect.catch(leaveAlone(question.kind)))
          )
        ),
        Effect.map((found) => found.flatMap(Option.toArray).filter((object) => answers(question, object)))
      ),
    listFresh: listFrom(api),
    ...writesOf(api)
  })
}

export const layerLive = Layer.effect(Cluster, Effect.map(KubernetesApi, live))

const isUnreadable = ({ reason }: KubernetesError): boolean => reason === "Malformed"

const leaveAlone = (kind: Kind) => (error: KubernetesError) =>
  Effect.as(Effect.logWarning(`a ${kind.kind} cannot be read and is skipped`, error), Option.none())
