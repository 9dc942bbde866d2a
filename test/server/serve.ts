/** A function behind its own HTTP server, over an API server in memory; and events to send it. */
import { NodeHttpServer } from "@effect/platform-node"
import { Effect, Layer, Logger, Option, Schema } from "effect"
import { HttpClient, HttpClientRequest, HttpRouter } from "effect/http"
import { changed, sweep } from "../../lib/runtime/events.ts"
import type { EnbiFunction } from "../../lib/runtime/function.ts"
import { Receiver } from "../../lib/server/receiver.ts"
import { routes } from "../../lib/server/routes.ts"
import { Settings } from "../../lib/api/settings.ts"
import { type ApiServer, makeApiServer } from "../memory/api-server.ts"
import { settings } from "../memory/given.ts"
import { liveCluster } from "../memory/live.ts"
import { pods } from "../../lib/kubernetes/kinds.ts"

/** A function that looks at Pods, and finds nothing to do. */
export const fake = (more: Partial<EnbiFunction<unknown>> = {}): EnbiFunction<unknown> => ({
  name: "fake",
  on: [changed(pods), sweep],
  permissions: [],
  mapEvent: ({ name = "none", namespace = "" }) => Effect.succeed([{ kind: "Pod", namespace, name }]),
  observe: () => Effect.succeed(Option.some({})),
  Observed: Schema.Unknown,
  decide: () => [],
  ...more
})

/** Its name, and all that it stands on; `logs` takes its log lines. */
export const receiver = (
  definition: EnbiFunction<unknown>,
  api: ApiServer = makeApiServer(),
  logs: Array<string> = []
) => {
  const logger = Logger.map(Logger.formatJson, (line) => {
    logs.push(line)
  })
  return Receiver.layer(definition).pipe(
    Layer.provide(Layer.mergeAll(liveCluster(api), Layer.succeed(Settings, settings))),
    Layer.provideMerge(Logger.layer([logger]))
  )
}

/** Its HTTP server on a port of loopback, and a client of that. */
export const serve = (...args: Parameters<typeof receiver>) =>
  HttpRouter.serve(routes, { disableLogger: true, disableListenLog: true }).pipe(
    Layer.provide(receiver(...args)),
    Layer.provideMerge(NodeHttpServer.layerTest)
  )

export type Headers = Readonly<Record<string, string>>
export type Body = string | Uint8Array

/** The headers of an event about a Pod, as Knative sends it. */
export const podEvent = (more: Headers = {}): Headers => ({
  "ce-specversion": "1.0",
  "ce-id": "1",
  "ce-source": "https://10.96.0.1:443",
  "ce-type": "dev.knative.apiserver.resource.update",
  "ce-kind": "Pod",
  "ce-namespace": "apps",
  "ce-name": "a",
  "content-type": "application/json",
  ...more
})

/** The headers of a sweep. */
export const sweepEvent: Headers = {
  "ce-specversion": "1.0",
  "ce-id": "1",
  "ce-source": "/apis/v1/namespaces/enbi-system/pingsources/enbi",
  "ce-type": "dev.knative.sources.ping",
  "content-type": "application/json"
}

export const post = Effect.fnUntraced(
  function* (headers: Headers, body: Body = "") {
    const bytes = typeof body === "string" ? Buffer.from(body) : body
    const response = yield* HttpClient.execute(
      HttpClientRequest.post("/").pipe(
        HttpClientRequest.bodyUint8Array(bytes, headers["content-type"] ?? ""),
        HttpClientRequest.setHeaders(headers)
      )
    )
    return { status: response.status, headers: response.headers, body: yield* response.text }
    // The trace of the test is none of the event's.
  },
  Effect.provideService(HttpClient.TracerPropagationEnabled, false)
)
