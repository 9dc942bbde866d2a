/** How long an event takes inside the one process: from the cache that tells of it to the function that looks. */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { ConfigProvider, Deferred, Effect, Layer, Option, Schema } from "effect"
import { makeDispatcher, readTriggers } from "../embedded/dispatcher.ts"
import { pods } from "../lib/kubernetes/kinds.ts"
import { layerLive } from "../lib/kubernetes/cluster.ts"
import { changed, type CloudEvent } from "../lib/runtime/events.ts"
import type { EnbiFunction } from "../lib/runtime/function.ts"
import { makeTriggers } from "../generate/triggers.ts"
import { layerAt } from "../lib/kubernetes/connection.ts"
import { reconcile } from "../lib/runtime/reconcile.ts"
import { Settings } from "../lib/api/settings.ts"
import { quantile, type Row } from "./row.ts"

const events = 5000
// Until then V8 compiles what runs often.
const warmUps = 2000

const eventOf = (name: string): CloudEvent => ({
  specversion: "1.0",
  id: name,
  source: "bench",
  type: "dev.knative.apiserver.resource.update",
  kind: "Pod",
  name
})

/** A function that says when it looks, and then sees nothing. */
const makeLooking = (onLook: () => void): EnbiFunction<unknown> => ({
  name: "looking",
  on: [changed(pods)],
  permissions: [],
  mapEvent: ({ name = "" }) => Effect.succeed([{ kind: "Pod", name }]),
  observe: () => Effect.as(Effect.sync(onLook), Option.none()),
  Observed: Schema.Unknown,
  decide: () => []
})

// The function asks neither of them.
const nobody = Layer.merge(
  layerLive.pipe(
    Layer.provide(layerAt({ url: "http://127.0.0.1:9", token: Effect.succeedNone })),
    Layer.provide(NodeHttpClient.layerNodeHttp)
  ),
  Settings.layer([]).pipe(
    Layer.provide(ConfigProvider.layer(ConfigProvider.fromUnknown({ BUILDER_IMAGE: "enbi-builder:bench" })))
  )
)

export const dispatcherRows = Effect.gen(function* () {
  let looked = Deferred.makeUnsafe<number>()
  const definition = makeLooking(() => Deferred.doneUnsafe(looked, Effect.succeed(performance.now())))
  const triggers = yield* readTriggers(
    makeTriggers([definition])
      .map((trigger) => JSON.stringify(trigger))
      .join("\n---\n")
  )
  const send = yield* makeDispatcher([definition], triggers)
  const measure = Effect.fnUntraced(function* <E, R>(bring: (event: CloudEvent) => Effect.Effect<void, E, R>) {
    const micros: Array<number> = []
    for (let index = 0; index < warmUps + events; index += 1) {
      looked = Deferred.makeUnsafe()
      const begin = performance.now()
      yield* bring(eventOf(`pod-${index}`))
      const end = yield* Deferred.await(looked)
      if (index >= warmUps) micros.push((end - begin) * 1000)
    }
    return micros
  })
  const hops = yield* measure(send)
  const calls = yield* measure((event) => reconcile(definition, event, { kind: "Pod", name: event.name ?? "" }))
  const row = (what: string, share: number): Row => ({
    what: `dispatcher: event → look, ${what} of ${events}; the look called by itself`,
    unit: "µs",
    ours: [quantile(hops, share)],
    bare: [quantile(calls, share)]
  })
  const rows: ReadonlyArray<Row> = [row("p50", 0.5), row("p99", 0.99)]
  return rows
}).pipe(Effect.scoped, Effect.provide(nobody))
