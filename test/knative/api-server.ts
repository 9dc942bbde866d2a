/** An API server over HTTP with ConfigMaps alone, for processes: discovery, list, watch, and 410 when it is told to forget. */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { Effect, Layer, Queue, Stream } from "effect"
import { HttpRouter, HttpServer, HttpServerRequest, HttpServerResponse } from "effect/http"
import { createServer } from "node:http"
import { type Logged, makeObjects } from "../../lib/memory/objects.ts"
import { withoutKind } from "../memory/http.ts"

const resources = [{ kind: "ConfigMap", name: "configmaps", namespaced: true }]

const line = (type: string, object: object): string => `${JSON.stringify({ type, object })}\n`

const tooOld = line("ERROR", { code: 410, reason: "Expired", message: "too old resource version" })

/** Serves on a free port of loopback until the scope ends. */
export const makeApiServer = Effect.gen(function* () {
  const objects = makeObjects()
  const watches = new Set<Queue.Queue<string>>()
  const opened = yield* Queue.unbounded<void>()
  let forgotten = 0
  const versionOf = ({ object }: Logged): number => Number(object.metadata.resourceVersion)
  objects.witnesses.push((logged) => {
    for (const watch of watches) Queue.offerUnsafe(watch, line(logged.verb, logged.object))
  })

  const watch = (from: number) =>
    Stream.unwrap(
      Effect.gen(function* () {
        const lines = yield* Queue.unbounded<string>()
        if (from < forgotten) return Stream.succeed(tooOld)
        const missed = objects.log.filter((logged) => versionOf(logged) > from)
        watches.add(lines)
        yield* Queue.offer(opened, undefined)
        return Stream.fromIterable(missed.map(({ object, verb }) => line(verb, object))).pipe(
          Stream.concat(Stream.fromQueue(lines)),
          Stream.takeUntil((text) => text === tooOld),
          Stream.ensuring(Effect.sync(() => watches.delete(lines)))
        )
      })
    ).pipe(Stream.encodeText)

  const routes = Layer.merge(
    HttpRouter.add("GET", "/api/v1", Effect.succeed(HttpServerResponse.jsonUnsafe({ resources }))),
    HttpRouter.add(
      "GET",
      "/api/v1/configmaps",
      Effect.gen(function* () {
        const { url } = yield* HttpServerRequest.HttpServerRequest
        const query = new URL(url, "http://x").searchParams
        if (query.has("watch")) return HttpServerResponse.stream(watch(Number(query.get("resourceVersion"))))
        const metadata = { resourceVersion: objects.newest() }
        return HttpServerResponse.jsonUnsafe({ items: Array.from(objects.objects.values(), withoutKind), metadata })
      })
    )
  )
  const server = HttpRouter.serve(routes, { disableLogger: true, disableListenLog: true }).pipe(
    Layer.provideMerge(NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1" }))
  )
  const context = yield* Layer.build(server)
  const { address } = yield* Effect.provideContext(HttpServer.HttpServer, context)

  const create = (name: string) =>
    Effect.asVoid(objects.create({ apiVersion: "v1", kind: "ConfigMap", metadata: { name, namespace: "cap" } }))
  return {
    url: HttpServer.formatAddress(address),
    create,
    /** Creates an object while the watch is behind: it is told 410 instead. Is through when there is another watch. */
    createUnseen: Effect.fnUntraced(function* (name: string) {
      const behind = [...watches]
      watches.clear()
      yield* Queue.clear(opened)
      yield* create(name)
      forgotten = Number(objects.newest())
      for (const watch of behind) yield* Queue.offer(watch, tooOld)
      yield* Queue.take(opened)
    })
  }
})
