/**
 * An API server in memory, spoken to as the real one is: paths, preconditions,
 * dry runs, selectors. It counts what reaches it, and each request can suffer
 * what requests suffer.
 */
import { Effect, Schema, type Stream } from "effect"
import { type Kind, KubernetesObject, pathOf } from "../../lib/api/kind.ts"
import { kinds } from "../../lib/api/kinds.ts"
import { KubernetesApi } from "../../lib/kube/api.ts"
import type { Body, Query } from "../../lib/kube/requests.ts"
import type { Change } from "../../lib/kube/watch.ts"
import type { KubernetesError } from "../../lib/kube/error.ts"
import { type Fault, suffer } from "./faults.ts"
import { type At, type Fields, isFields, keyOf, makeObjects, refuse, type Stored } from "./objects.ts"

type Verb = "create" | "dry-run" | "patch" | "delete" | "get" | "list"

interface Asked extends At {
  readonly verb: Verb
  readonly subresource?: "status"
  readonly body: unknown
}

/** One request: what it asks, how many came before it, and how many writes. */
export interface Counted {
  readonly what: string
  readonly request: number
  /** Absent for what only reads. */
  readonly write: number | undefined
}

export interface Refusal {
  readonly what: string
  /** How many writes had been tried by then. */
  readonly attempts: number
}

interface Fate {
  faultOf: (counted: Counted) => Fault | undefined
  before: (counted: Counted) => Effect.Effect<void>
  after: (counted: Counted) => Effect.Effect<void>
  /** Between two looks of a process. */
  between: Effect.Effect<void>
}

const isWrite = (verb: Verb): boolean => verb === "create" || verb === "patch" || verb === "delete"

const wordsOf = (asked: Asked): string =>
  `${asked.verb} ${keyOf(asked)}${asked.subresource === undefined ? "" : `/${asked.subresource}`}`

export const makeApiServer = () => {
  const objects = makeObjects()
  const requests: Array<string> = []
  const attempts: Array<string> = []
  const writes: Array<string> = []
  const refusals: Array<Refusal> = []
  /** What becomes of a request, and what others do just before and after it: set by whoever tells the story. */
  const fate: Fate = {
    faultOf: () => undefined,
    before: () => Effect.void,
    after: () => Effect.void,
    between: Effect.void
  }

  const answer = Effect.fnUntraced(function* (asked: Asked): Effect.fn.Return<Stored, KubernetesError> {
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

  // As people and controllers do that we know nothing of.
  const touch = ({ kind, name, namespace }: At) =>
    Effect.ignore(
      Effect.flatMap(objects.find({ kind, name, namespace }), (there) =>
        objects.patch(
          { kind, name, namespace },
          { metadata: { annotations: { "example.com/touched": there.metadata.resourceVersion } } }
        )
      )
    )

  /** Counts a request, and lets it suffer what it has to. */
  const receive = Effect.fnUntraced(function* <A>(asked: Asked, answer: Effect.Effect<A, KubernetesError>) {
    const what = wordsOf(asked)
    const isWriting = isWrite(asked.verb)
    const counted: Counted = { what, request: requests.length, write: isWriting ? attempts.length : undefined }
    requests.push(what)
    if (isWriting) attempts.push(what)
    yield* fate.before(counted)
    return yield* answer.pipe(
      Effect.tap(() => fate.after(counted)),
      Effect.tap(() => Effect.sync(() => (isWriting ? writes.push(what) : undefined))),
      suffer(fate.faultOf(counted), { what, touch: touch(asked) }),
      Effect.tapError((error) =>
        Effect.sync(() => (error.isRetryable ? refusals.push({ what, attempts: attempts.length }) : undefined))
      )
    )
  })

  const request: Api["request"] = Effect.fnUntraced(function* (method, path, options = {}) {
    const asked = yield* read(method, path, options)
    return yield* receive(asked, answer(asked))
  })

  const list: Api["list"] = Effect.fnUntraced(function* (path, query = {}) {
    const asked = yield* read("GET", path, { query })
    const all = Effect.sync(() =>
      [...objects.objects.values()].filter(
        (object) =>
          object.kind === asked.kind &&
          (asked.namespace === undefined || object.metadata.namespace === asked.namespace) &&
          isSelected(object, query)
      )
    )
    return { items: yield* receive(asked, all), resourceVersion: objects.newest() }
  })

  /** The way to here of one process, whose watches are fed by `follow`. */
  const connect = (follow: (kind: Kind<unknown>, query: Query) => Stream.Stream<Change>) =>
    KubernetesApi.of({ request, list, follow: (path, query = {}) => follow(kindAt(path), query) })

  return {
    connect,
    objects,
    fate,
    /** Everything that reached the server, in order. */
    requests,
    /** What the functions tried to write. */
    attempts,
    /** What was written. */
    writes,
    /** What brought back an error that another try can mend. */
    refusals
  }
}

export type ApiServer = ReturnType<typeof makeApiServer>
type Api = (typeof KubernetesApi)["Service"]

const paths = /^\/(?:api|apis)\/(v1|[^/]+\/[^/]+)(?:\/namespaces\/([^/]+))?\/([a-z]+)(?:\/([^/]+))?(?:\/(status))?$/

const kindAt = (path: string): Kind<unknown> => {
  const found = Object.values(kinds).find((kind) => pathOf(kind) === path)
  if (found === undefined) throw new Error(`no kind is at ${path}`)
  return found
}

const read = Effect.fnUntraced(function* (
  method: string,
  path: string,
  { body, query = {} }: { readonly query?: Query; readonly body?: Body }
) {
  const [, apiVersion, namespace, plural, name, subresource] = paths.exec(path) ?? []
  const kind = Object.values(kinds).find((kind) => kind.apiVersion === apiVersion && kind.plural === plural)
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
  const asked: Asked = {
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

/** Label selectors of the form key=value, and the one field selector that is used. */
export const isSelected = ({ metadata, spec }: Stored, query: Query): boolean => {
  const terms = String(query["labelSelector"] ?? "").split(",")
  const [field, nodeName] = String(query["fieldSelector"] ?? "").split("=")
  return (
    terms.every((term) => {
      const [key = "", value] = term.split("=")
      return term === "" || metadata.labels?.[key] === value
    }) &&
    (field !== "spec.nodeName" || (isFields(spec) && spec["nodeName"] === nodeName))
  )
}
