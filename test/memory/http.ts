/** The API server in memory over HTTP, for processes: requests, lists in pages, and watches that tell of each change as it happens. */
import { Effect, Queue, Schema, Stream } from "effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import { knownKinds, pathOf } from "../../lib/api/kind.ts"
import type { KubernetesApi } from "../../lib/kube/api.ts"
import { isSelected } from "../../lib/memory/api-server.ts"
import { isFields, type Logged, type Objects } from "../../lib/memory/objects.ts"

type Query = Readonly<Record<string, string>>

const isNamed = (object: unknown, { fieldSelector = "" }: Query): boolean =>
  !fieldSelector.startsWith("metadata.name=") ||
  Schema.is(
    Schema.Struct({ metadata: Schema.Struct({ name: Schema.Literal(fieldSelector.slice("metadata.name=".length)) }) })
  )(object)

const isList = (path: string): boolean =>
  knownKinds().some((kind) => pathOf(kind) === path || new RegExp(`/namespaces/[^/]+/${kind.plural}$`).test(path))

/** Every change after the version that is asked for, as it happens. */
const watch = Effect.fnUntraced(function* ({ log, witnesses }: Objects, path: string, query: Query) {
  const [, namespace, plural] = /(?:\/namespaces\/([^/]+))?\/([a-z]+)$/.exec(path) ?? []
  const kind = knownKinds().find((kind) => kind.plural === plural)
  const changes = yield* Queue.unbounded<Uint8Array>()
  const from = Number(query["resourceVersion"])
  const tell = ({ object, verb: type }: Logged) => {
    const isWanted =
      object.kind === kind?.kind &&
      (namespace === undefined || object.metadata.namespace === namespace) &&
      Number(object.metadata.resourceVersion) > from &&
      isSelected(object, query) &&
      isNamed(object, query)
    if (isWanted) Queue.offerUnsafe(changes, new TextEncoder().encode(`${JSON.stringify({ type, object })}\n`))
  }
  for (const logged of log) tell(logged)
  witnesses.push(tell)
  const stop = Effect.sync(() => {
    const at = witnesses.indexOf(tell)
    if (at >= 0) witnesses.splice(at, 1)
  })
  return HttpServerResponse.stream(Stream.ensuring(Stream.fromQueue(changes), stop))
})

/** An object as the real one lists it: only the list says of what kind its objects are. */
export const withoutKind = (object: unknown): unknown => {
  const { apiVersion: _, kind: __, ...rest } = isFields(object) ? object : {}
  return rest
}

/** A page is of the list as it was when its first page was asked for. */
const makePages = ({ list }: Api) => {
  const begun = new Map<string, { readonly items: ReadonlyArray<unknown>; readonly resourceVersion: string }>()
  return Effect.fnUntraced(function* (path: string, query: Query) {
    const [id = "", at = "0"] = query["continue"]?.split(" ") ?? []
    const all = begun.get(id) ?? (yield* list(path, query, withoutKind))
    const next = Number(at) + Number(query["limit"] ?? all.items.length)
    const isLast = next >= all.items.length
    const token = begun.has(id) ? id : `${path} ${begun.size}`.replace(" ", "#")
    if (isLast) begun.delete(token)
    else begun.set(token, all)
    return {
      items: all.items.slice(Number(at), next).filter((item) => isNamed(item, query)),
      metadata: { resourceVersion: all.resourceVersion, ...(isLast ? {} : { continue: `${token} ${next}` }) }
    }
  })
}

const methods = ["GET", "POST", "PATCH", "DELETE"] as const

type Api = Pick<(typeof KubernetesApi)["Service"], "list" | "request">

/** Answers from `objects`, by way of `api`. */
export const routesTo = (objects: Objects, api: Api) => {
  const page = makePages(api)
  return HttpRouter.add(
    "*",
    "/*",
    Effect.gen(function* () {
      const request = yield* HttpServerRequest.HttpServerRequest
      const { pathname, searchParams } = new URL(request.url, "http://localhost")
      const query = Object.fromEntries(searchParams)
      if (query["watch"] === "true") return yield* watch(objects, pathname, query)
      if (request.method === "GET" && isList(pathname)) {
        return HttpServerResponse.jsonUnsafe(yield* page(pathname, query))
      }
      const text = yield* Effect.orDie(request.text)
      const body = text === "" ? {} : { body: { type: "application/json" as const, value: JSON.parse(text) } }
      const method = methods.find((method) => method === request.method) ?? "OPTIONS"
      return HttpServerResponse.jsonUnsafe(yield* api.request(method, pathname, { query, ...body }))
    }).pipe(
      Effect.catchTag("KubernetesError", ({ message, reason, status }) =>
        Effect.succeed(HttpServerResponse.jsonUnsafe({ message, reason }, { status }))
      )
    )
  )
}
