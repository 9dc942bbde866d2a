/** Port 5080: everybody reads what NixImages are built into. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Deferred, Effect, Layer, Schedule } from "effect"
import { HttpServer, HttpServerRequest } from "effect/http"
import { nixImages } from "../../lib/api/niximage.ts"
import { Cluster } from "../../lib/kubernetes/cluster.ts"
import { answerFrom } from "../../lib/oci/distribution-routes.ts"
import * as Cache from "../../lib/runtime/watch-cache.ts"
import { makeBuffers } from "./buffers.ts"
import { settings } from "./settings.ts"
import { makeStorage } from "./storage.ts"
import { makeStore } from "./store.ts"

// Half a mebibyte each: all of the process is to stay within 100 MiB.
const maxBuffers = 8

// A new process takes over from the old one when it knows what that knows; where the API server is away it says so.
const maxStart = "20 seconds"

/** Over a server that listens. */
export const registry = Layer.unwrap(
  Effect.gen(function* () {
    const { hasCatalog, storage, waitSeconds } = yield* settings
    const cluster = yield* Cluster
    const changes = makeChanges()
    const store = makeStore({
      list: cluster.list,
      isComplete: yield* follow(changes.tell),
      nextChange: changes.next,
      storage: yield* makeStorage(storage, yield* makeBuffers(maxBuffers)),
      hasCatalog,
      waitSeconds
    })
    return HttpServer.serve(
      Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) => answerFrom(store, request))
    )
  })
).pipe(Layer.provide(Cache.layer([nixImages])), Layer.provide(NodeServices.layer))

/** Tells those who wait of each change. */
const makeChanges = () => {
  let next = Deferred.makeUnsafe<void>()
  return {
    next: Effect.sync(() => Deferred.await(next)),
    tell: Effect.suspend(() => {
      const before = next
      next = Deferred.makeUnsafe<void>()
      return Effect.asVoid(Deferred.succeed(before, undefined))
    })
  }
}

/** Follows NixImages for as long as the server runs. */
const follow = Effect.fnUntraced(function* (tell: Effect.Effect<void>) {
  const cache = yield* Cache.WatchCache
  yield* Effect.forkScoped(
    cache
      .follow(() => tell)
      .pipe(
        Effect.tapError((error) => Effect.logError("NixImages cannot be watched", error)),
        Effect.retry(Schedule.spaced("10 seconds"))
      )
  )
  yield* Effect.timeoutOption(cache.complete, maxStart)
  return cache.isComplete
})
