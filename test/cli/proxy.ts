/** The kubectl that leads to an API server in memory: its proxy listens on the socket that it is given. */
import { NodeHttpServer } from "@effect/platform-node"
import { Effect, Layer, Queue, Schema, Stream } from "effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import { createServer } from "node:http"
import { pathOf } from "../../lib/api/kind.ts"
import { kinds } from "../../lib/api/kinds.ts"
import { isSelected } from "../../lib/memory/api-server.ts"
import type { ApiServer } from "../memory/api-server.ts"
import { settings } from "../memory/given.ts"
import type { Logged } from "../../lib/memory/objects.ts"
import type { Kubectl } from "./run.ts"

const deployment = {
  spec: {
    template: {
      spec: {
        containers: [
          {
            env: [
              { name: "BUILDER_IMAGE", valueFrom: { configMapKeyRef: { name: "enbi-builder", key: "BUILDER_IMAGE" } } },
              { name: "MAX_BUILDS_PER_NODE", value: String(settings.maxBuildsPerNode) },
              { name: "POD_NAME", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } }
            ]
          }
        ]
      }
    }
  }
}
const configMap = { data: { BUILDER_IMAGE: settings.builderImage } }

const isList = (path: string): boolean =>
  Object.values(kinds).some(
    (kind) => pathOf(kind) === path || new RegExp(`/namespaces/[^/]+/${kind.plural}$`).test(path)
  )

const isNamed = (object: unknown, { fieldSelector = "" }: Record<string, string>): boolean =>
  !fieldSelector.startsWith("metadata.name=") ||
  Schema.is(
    Schema.Struct({ metadata: Schema.Struct({ name: Schema.Literal(fieldSelector.slice("metadata.name=".length)) }) })
  )(object)

/** Every change after the version that is asked for, as it happens. */
const watch = Effect.fnUntraced(function* ({ objects }: ApiServer, path: string, query: Record<string, string>) {
  const [, namespace, plural] = /(?:\/namespaces\/([^/]+))?\/([a-z]+)$/.exec(path) ?? []
  const kind = Object.values(kinds).find((kind) => kind.plural === plural)
  const changes = yield* Queue.unbounded<Uint8Array>()
  const tell = ({ object, verb: type }: Logged) => {
    const isWanted =
      object.kind === kind?.kind &&
      (namespace === undefined || object.metadata.namespace === namespace) &&
      Number(object.metadata.resourceVersion) > Number(query["resourceVersion"]) &&
      isSelected(object, query) &&
      isNamed(object, query)
    if (isWanted) Queue.offerUnsafe(changes, new TextEncoder().encode(`${JSON.stringify({ type, object })}\n`))
  }
  for (const logged of objects.log) tell(logged)
  objects.witnesses.push(tell)
  return HttpServerResponse.stream(Stream.fromQueue(changes))
})

const methods = ["GET", "POST", "PATCH", "DELETE"] as const

const routes = (server: ApiServer) => {
  const api = server.connect(() => Stream.never)
  return HttpRouter.add(
    "*",
    "/*",
    Effect.gen(function* () {
      const request = yield* HttpServerRequest.HttpServerRequest
      const { pathname, searchParams } = new URL(request.url, "http://localhost")
      const query = Object.fromEntries(searchParams)
      if (query["watch"] === "true") return yield* watch(server, pathname, query)
      if (request.method === "GET" && isList(pathname)) {
        const { items, resourceVersion } = yield* api.list(pathname, query)
        const selected = items.filter((item) => isNamed(item, query))
        return HttpServerResponse.jsonUnsafe({ items: selected, metadata: { resourceVersion } })
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

/** Besides, it knows the Deployment of the functions with its ConfigMap, and the decisions in `log`. */
export const leadingTo =
  (server: ApiServer, log = ""): Kubectl =>
  (words) => {
    const [verb] = words
    if (verb === "logs") return { stdout: log }
    if (verb === "get") {
      return { stdout: JSON.stringify(words.includes("configmap/enbi-builder") ? configMap : deployment) }
    }
    const path = words.find((word) => word.startsWith("--unix-socket="))?.slice("--unix-socket=".length)
    if (verb !== "proxy" || path === undefined) return undefined
    return HttpRouter.serve(routes(server), { disableLogger: true, disableListenLog: true }).pipe(
      Layer.provide(NodeHttpServer.layerServer(createServer, { path })),
      Layer.build,
      Effect.orDie,
      Effect.as({ stdout: `Starting to serve on ${path}\n` })
    )
  }
