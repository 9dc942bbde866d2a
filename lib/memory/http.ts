/**
 * The API server in memory over HTTP, for processes: discovery, requests, lists
 * in pages, and watches that report each change as it happens.
 */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { Effect, Latch, Layer, Queue, Schema, Stream } from "effect"
import { HttpRouter, HttpServer, HttpServerRequest, HttpServerResponse } from "effect/http"
import { createServer } from "node:http"
import { knownKinds, pathOf } from "../kubernetes/kind.ts"
import type { KubernetesApi } from "../kubernetes/connection.ts"
import { isSelected } from "./api-server.ts"
import { isFields, type Logged, type Objects } from "./objects.ts"

type Query = Readonly<Record<string, string>>

const isNamed = (object: unknown, { fieldSelector = "" }: Query): boolean =>
  !fieldSelector.startsWith("metadata.name=") ||
  Schema.is(
    Schema.Struct({ metadata: Schema.Struct({ name: Schema.Literal(fieldSelector.slice("metadata.name=".length)) }) })
  )(object)

const isList = (path: string): boolean =>
  knownKinds().some((kind) => pathOf(kind) === path || new RegExp(`/namespaces/[^/]+/${kind.plural}$`).test(path))

const lineOf = (line: object): Uint8Array => new TextEncoder().encode(`${JSON.stringify(line)}\n`)

const tooOld = lineOf({ type: "ERROR", object: { code: 410, reason: "Expired", message: "too old resource version" } })

const makeWatches = ({ log, newest, observers }: Objects) => {
  const open = new Map<(logged: Logged) => void, Queue.Queue<Uint8Array>>()
  const isWatched = Latch.makeUnsafe(false)
  let oldest = 0
  const stop = (notify: (logged: Logged) => void) => {
    open.delete(notify)
    const at = observers.indexOf(notify)
    if (at >= 0) observers.splice(at, 1)
  }

  /** Every change after the version that is asked for, as it happens. */
  const watch = Effect.fnUntraced(function* (path: string, query: Query) {
    const [, namespace, plural] = /(?:\/namespaces\/([^/]+))?\/([a-z]+)$/.exec(path) ?? []
    const kind = knownKinds().find((known) => known.plural === plural)
    const from = Number(query["resourceVersion"])
    if (from < oldest) return HttpServerResponse.uint8Array(tooOld)
    const changes = yield* Queue.unbounded<Uint8Array>()
    const notify = ({ object, verb: type }: Logged) => {
      const isWanted =
        object.kind === kind?.kind &&
        (namespace === undefined || object.metadata.namespace === namespace) &&
        Number(object.metadata.resourceVersion) > from &&
        isSelected(object, query) &&
        isNamed(object, query)
      if (isWanted) Queue.offerUnsafe(changes, lineOf({ type, object }))
    }
    for (const logged of log) notify(logged)
    observers.push(notify)
    open.set(notify, changes)
    yield* isWatched.open
    return HttpServerResponse.stream(
      Stream.fromQueue(changes).pipe(
        Stream.takeUntil((line) => line === tooOld),
        Stream.ensuring(Effect.sync(() => stop(notify)))
      )
    )
  })

  /** Watches miss what happens now: each gets 410 instead. Completes when there is another watch. */
  const forget = Effect.fnUntraced(function* <E>(happens: Effect.Effect<void, E>) {
    const behind = Array.from(open)
    for (const [notify] of behind) stop(notify)
    yield* isWatched.close
    yield* happens
    oldest = Number(newest())
    for (const [, changes] of behind) yield* Queue.offer(changes, tooOld)
    yield* isWatched.await
  })

  return { watch, forget }
}

/** An object as the real one lists it: only the list says of what kind its objects are. */
const withoutKind = (object: unknown): unknown => {
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

/** What there is of one group and version, where the path is that of one. */
const resourcesAt = (path: string) => {
  const apiVersion = /^\/apis?\/(v1|[^/]+\/[^/]+)$/.exec(path)?.[1]
  return knownKinds()
    .filter((kind) => kind.apiVersion === apiVersion)
    .map(({ kind, namespaced, plural }) => ({ kind, name: plural, namespaced }))
}

const methods = ["GET", "POST", "PATCH", "DELETE"] as const

type Api = Pick<(typeof KubernetesApi)["Service"], "list" | "request">

/** Answers from `objects`, by way of `api`. */
export const makeFront = (objects: Objects, api: Api) => {
  const page = makePages(api)
  const { forget, watch } = makeWatches(objects)
  const routes = HttpRouter.add(
    "*",
    "/*",
    Effect.gen(function* () {
      const request = yield* HttpServerRequest.HttpServerRequest
      const { pathname, searchParams } = new URL(request.url, "http://localhost")
      const query = Object.fromEntries(searchParams)
      if (query["watch"] === "true") return yield* watch(pathname, query)
      if (request.method === "GET" && isList(pathname)) {
        return HttpServerResponse.jsonUnsafe(yield* page(pathname, query))
      }
      const resources = resourcesAt(pathname)
      if (resources.length > 0) return HttpServerResponse.jsonUnsafe({ resources })
      const text = yield* Effect.orDie(request.text)
      const body = text === "" ? {} : { body: { type: "application/json" as const, value: JSON.parse(text) } }
      const method = methods.find((known) => known === request.method) ?? "OPTIONS"
      return HttpServerResponse.jsonUnsafe(yield* api.request(method, pathname, { query, ...body }))
    }).pipe(
      Effect.catchTag("KubernetesError", ({ message, reason, status }) =>
        Effect.succeed(HttpServerResponse.jsonUnsafe({ message, reason }, { status }))
      )
    )
  )
  return { routes, forget }
}

/** The URL at which it answers, on a free port of loopback, until the scope ends. */
export const serve = Effect.fnUntraced(function* ({ routes }: ReturnType<typeof makeFront>) {
  const server = HttpRouter.serve(routes, { disableLogger: true, disableListenLog: true }).pipe(
    Layer.provideMerge(NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1" }))
  )
  const { address } = yield* Effect.provideContext(HttpServer.HttpServer, yield* Layer.build(server))
  return HttpServer.formatAddress(address)
})
