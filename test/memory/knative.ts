/** Each function by itself, as on Knative: without a cache, and events as they come off the wire. */
import { Context, Effect, Exit, Fiber, Layer, Result, Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import type { KubernetesObject } from "../../lib/kubernetes/kind.ts"
import { readAttributes, type Event } from "../../lib/cloudevents/event.ts"
import { decodeMessage, encodeBinary } from "../../lib/cloudevents/http.ts"
import { Cluster, live } from "../../lib/kubernetes/cluster.ts"
import { loadFunctions } from "../../lib/runtime/load.ts"
import { KubernetesApi } from "../../lib/kubernetes/connection.ts"
import { Receiver } from "../../lib/server/receiver.ts"
import { Settings } from "../../lib/api/settings.ts"
import type { Logged } from "../../lib/memory/objects.ts"
import { type ApiServer, makeApiServer } from "./api-server.ts"
import { settings } from "./given.ts"
import { makeOracle } from "./oracle.ts"
import { makeWorld } from "./world.ts"

const verbs = { ADDED: "add", MODIFIED: "update", DELETED: "delete" } as const

/** The event that ApiServerSource sends of a change, as it comes off the wire. */
export const eventOf = ({ object, verb }: Logged, index: number) => {
  const { kind, metadata } = object
  const attributes = {
    specversion: "1.0",
    id: String(index),
    source: "https://10.96.0.1:443",
    type: `dev.knative.apiserver.resource.${verbs[verb]}`,
    datacontenttype: "application/json",
    kind,
    namespace: metadata.namespace ?? "",
    name: metadata.name
  }
  const event: Event = { attributes: Result.getOrThrow(readAttributes(Object.entries(attributes))), data: object }
  return decodeMessage(encodeBinary(event, "raw"), "raw")
}

export const sweep = decodeMessage(
  {
    headers: {
      "ce-specversion": "1.0",
      "ce-id": "sweep",
      "ce-source": "/apis/v1/namespaces/enbi-system/pingsources/enbi",
      "ce-type": "dev.knative.sources.ping"
    },
    body: new Uint8Array()
  },
  "raw"
)

export type Arriving = ReturnType<typeof decodeMessage>

/** A request of a function, and what led to it. */
export interface Request {
  readonly function: string
  readonly event: string
  readonly what: string
}

export const wordsOf = ({ event, function: name, what }: Request): string => `${event}: ${name}: ${what}`

/** The cluster as one function reads it; `tell` gets each request. */
const clusterOf = (server: ApiServer, tell: (what: string) => void) => {
  const api = server.connect(() => Stream.never)
  const told = <A, E>(what: string, self: Effect.Effect<A, E>) =>
    Effect.andThen(
      Effect.sync(() => tell(what)),
      self
    )
  const cluster = live(
    KubernetesApi.of({
      ...api,
      request: (method, path, options) => told(`${method} ${path}`, api.request(method, path, options)),
      list: (path, query, read) => told(["LIST", path, ...Object.values(query)].join(" "), api.list(path, query, read))
    })
  )
  return Layer.succeed(Cluster, cluster)
}

export const startKnative = Effect.fnUntraced(function* (given: ReadonlyArray<KubernetesObject>) {
  const api = makeApiServer()
  const world = makeWorld(api.objects)
  const oracle = makeOracle(api.objects, { world, excused: [] })
  for (const object of given) yield* api.objects.create(object)
  const scope = yield* Scope.make()
  const functions = yield* loadFunctions(new URL("../../functions/", import.meta.url))
  const requests: Array<Request> = []
  let current = ""
  const receivers = yield* Effect.forEach(functions, (definition) => {
    const { name } = definition
    const tell = (what: string) => requests.push({ function: name, event: current, what })
    return Receiver.layer(definition).pipe(
      Layer.provide(Layer.mergeAll(clusterOf(api, tell), Layer.succeed(Settings, settings))),
      Layer.fresh,
      Layer.buildWithScope(scope),
      Effect.map((context) => Context.get(context, Receiver))
    )
  })
  /** Each event goes to all functions; those that fail get it once more, as a Broker does it. Who sleeps is let sleep. */
  const deliver = Effect.fnUntraced(function* (events: ReadonlyArray<Arriving>, concurrency: number) {
    const receiveTwice = ({ receive }: (typeof receivers)[number], event: Arriving) => {
      const arrival = { bytes: 0, read: Effect.fromResult(event) }
      return Effect.flatMap(receive(arrival), ({ status }) => (status === 204 ? Effect.void : receive(arrival)))
    }
    const all = Effect.forEach(
      events.flatMap((event) => receivers.map((receiver) => [receiver, event] as const)),
      ([receiver, event]) => receiveTwice(receiver, event),
      { concurrency, discard: true }
    )
    const fiber = yield* Effect.forkChild(all, { startImmediately: true })
    yield* Effect.repeat(TestClock.adjust("1 second"), { until: () => fiber.pollUnsafe() !== undefined })
    yield* Fiber.join(fiber)
  })
  let told = 0
  /** Everybody else acts, and each change comes as one event after the other, until nothing changes any more. */
  const untilQuiet = Effect.gen(function* () {
    for (let before = -1; before !== told;) {
      before = told
      for (; told < api.objects.log.length; told += 1) {
        const logged = api.objects.log[told]
        if (logged === undefined) continue
        current = `${verbs[logged.verb]} ${logged.object.kind} ${logged.object.metadata.name}`
        yield* deliver([eventOf(logged, told)], 1)
      }
      yield* world.tick
    }
  })
  /** A sweep, when all pauses are over. */
  const sweepOnce = Effect.suspend(() => {
    current = "sweep"
    return Effect.andThen(TestClock.adjust("1 minute"), deliver([sweep], 1))
  })
  return { api, world, oracle, requests, deliver, untilQuiet, sweepOnce, close: Scope.close(scope, Exit.void) }
})

/** How many there are of each function. */
export const countBy = (requests: ReadonlyArray<Request>): Readonly<Record<string, number>> =>
  Object.fromEntries([...Map.groupBy(requests, (request) => request.function)].map(([name, all]) => [name, all.length]))
