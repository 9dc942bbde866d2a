/**
 * An API server in memory, spoken to as the real one is: paths, preconditions,
 * dry runs, selectors. It has no controllers: its user makes the changes that
 * they would make.
 */
import { Effect, Schema } from "effect"
import { type Kind, knownKinds, KubernetesObject, pathOf } from "../kubernetes/kind.ts"
import type { KubernetesApi } from "../kubernetes/connection.ts"
import type { KubernetesError } from "../kubernetes/error.ts"
import type { Body, Query } from "../kubernetes/requests.ts"
import { type At, type Fields, isFields, type Objects, refuse, type Stored } from "./objects.ts"

type Verb = "create" | "dry-run" | "patch" | "delete" | "get" | "list"

export const isWrite = (verb: Verb): boolean => verb === "create" || verb === "patch" || verb === "delete"

/** A request, understood. */
export interface ApiRequest extends At {
  readonly verb: Verb
  readonly subresource?: "status"
  readonly body: unknown
}

type Api = (typeof KubernetesApi)["Service"]

/** What becomes of a request on its way to its answer. */
export type Receive = <A>(
  asked: ApiRequest,
  answer: Effect.Effect<A, KubernetesError>
) => Effect.Effect<A, KubernetesError>

export const answerFrom = (
  objects: Objects,
  receive: Receive = (_, answer) => answer
): Pick<Api, "request" | "list"> => {
  const answer = Effect.fnUntraced(function* (asked: ApiRequest): Effect.fn.Return<Stored, KubernetesError> {
    if (asked.verb === "get") return yield* objects.find(asked)
    if (asked.verb === "patch") return yield* objects.patch(asked, isFields(asked.body) ? asked.body : {})
    if (asked.verb === "delete") {
      const gone = yield* objects.find(asked)
      const { resourceVersion, uid } = preconditionsIn(asked.body)
      if (resourceVersion !== undefined && resourceVersion !== gone.metadata.resourceVersion) {
        return yield* refuse(409, "Conflict", `${asked.name} was changed`)
      }
      yield* objects.remove({ ...asked, uid })
      return gone
    }
    const object = yield* Schema.decodeUnknownEffect(KubernetesObject)(asked.body).pipe(Effect.orDie)
    if (asked.verb === "create") return yield* objects.create(object)
    yield* objects.mustBeNew(asked)
    const metadata = { ...object.metadata, namespace: asked.namespace ?? "", uid: "uid-dry-run", resourceVersion: "0" }
    return { ...object, metadata }
  })

  const request: Api["request"] = Effect.fnUntraced(function* (method, path, options = {}) {
    const asked = yield* understand(method, path, options)
    return yield* receive(asked, answer(asked))
  })

  const list: Api["list"] = Effect.fnUntraced(function* (path, query, read) {
    const asked = yield* understand("GET", path, { query })
    const unknown = termsOf(query["fieldSelector"]).find(({ key }) => !isSelectable(asked.kind, key))
    if (unknown !== undefined) return yield* refuse(400, "BadRequest", `${unknown.key} is not a known field selector`)
    const all = Effect.sync(() =>
      [...objects.objects.values()].filter(
        (object) =>
          object.kind === asked.kind &&
          (asked.namespace === undefined || object.metadata.namespace === asked.namespace) &&
          isSelected(object, query)
      )
    )
    const found = yield* receive(asked, all)
    return { items: found.map(read), resourceVersion: objects.newest() }
  })

  return { request, list }
}

const paths = /^\/(?:api|apis)\/(v1|[^/]+\/[^/]+)(?:\/namespaces\/([^/]+))?\/([a-z]+)(?:\/([^/]+))?(?:\/(status))?$/

export const kindAt = (path: string): Kind => {
  const found = knownKinds().find((kind) => pathOf(kind) === path)
  if (found === undefined) throw new Error(`no kind is at ${path}`)
  return found
}

const understand = Effect.fnUntraced(function* (
  method: string,
  path: string,
  { body, query = {} }: { readonly query?: Query; readonly body?: Body }
) {
  const [, apiVersion, namespace, plural, name, subresource] = paths.exec(path) ?? []
  const kind = knownKinds().find((known) => known.apiVersion === apiVersion && known.plural === plural)
  const value = body?.value
  const named = name ?? (isFields(value) && isFields(value["metadata"]) ? value["metadata"]["name"] : "")
  if (kind === undefined || typeof named !== "string") return yield* refuse(404, "NotFound", `nothing is at ${path}`)
  const verbs: Record<string, Verb> = {
    GET: name === undefined ? "list" : "get",
    POST: query["dryRun"] === "All" ? "dry-run" : "create",
    PATCH: "patch",
    DELETE: "delete"
  }
  const verb = verbs[method]
  if (verb === undefined) return yield* refuse(405, "MethodNotAllowed", method)
  const asked: ApiRequest = {
    verb,
    kind: kind.kind,
    ...(namespace === undefined ? {} : { namespace }),
    name: named,
    ...(subresource === "status" ? { subresource } : {}),
    body: value
  }
  return asked
})

const preconditionsIn = (body: unknown): Fields =>
  isFields(body) && isFields(body["preconditions"]) ? body["preconditions"] : {}

/** Selectors of the forms key=value and key!=value; what is absent is the empty string to a field selector. */
export const isSelected = (object: Stored, query: Query): boolean =>
  termsOf(query["labelSelector"]).every(({ isEqual, key, value }) =>
    isEqual ? object.metadata.labels?.[key] === value : object.metadata.labels?.[key] !== value
  ) &&
  termsOf(query["fieldSelector"]).every(
    ({ isEqual, key, value }) => (String(fieldOf(object, key) ?? "") === value) === isEqual
  )

const termsOf = (selector: Query[string] | undefined) =>
  String(selector ?? "")
    .split(",")
    .filter((term) => term !== "")
    .map((term) => {
      const [, key = "", operator, value = ""] = /^(.+?)(!=|==?)(.*)$/u.exec(term) ?? []
      return { key, value, isEqual: operator !== "!=" }
    })

// One kind may be read in two ways, as Events are.
const isSelectable = (name: string, field: string): boolean =>
  field === "metadata.name" ||
  field === "metadata.namespace" ||
  knownKinds().some(({ kind, selectableFields = [] }) => kind === name && selectableFields.includes(field))

const fieldOf = (object: Stored, path: string): unknown =>
  path.split(".").reduce<unknown>((value, key) => (isFields(value) ? value[key] : undefined), object)
