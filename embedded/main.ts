/**
 * All functions in one process: `kubectl apply -k embedded`. Watches the
 * cluster, sweeps every 30 s, answers on /health/liveness, /health/readiness
 * and /metrics, and on SIGTERM finishes what it has started.
 */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Clock, Config, Effect, FileSystem, Layer, Path, Schedule } from "effect"
import { HttpRouter } from "effect/http"
import { createServer } from "node:http"
import { sweepType } from "../lib/runtime/events.ts"
import { type EnbiFunction, kindsOf } from "../lib/runtime/function.ts"
import { loadFunctions } from "../lib/runtime/load.ts"
import { logger, logLevel, runProcess } from "../lib/runtime/process.ts"
import { layerOf, readNodeRepel } from "../lib/server/services.ts"
import { preciseTime } from "../lib/kubernetes/time.ts"
import * as Cache from "../lib/runtime/watch-cache.ts"
import { makeDispatcher, readTriggers } from "./dispatcher.ts"
import { makeEventQueue } from "./event-queue.ts"
import { routes } from "./routes.ts"

const Server = Layer.unwrap(
  Effect.gen(function* () {
    const port = yield* Config.Port("PORT").pipe(Config.withDefault(8080))
    return HttpRouter.serve(routes, { disableLogger: true }).pipe(
      Layer.provide(NodeHttpServer.layerServer(createServer, { port }))
    )
  })
)

const program = (functions: ReadonlyArray<EnbiFunction<unknown>>) =>
  Effect.gen(function* () {
    const files = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const triggers = yield* path.fromFileUrl(new URL("../eventing/triggers.yaml", import.meta.url)).pipe(
      Effect.flatMap((file) => files.readFileString(file)),
      Effect.flatMap(readTriggers)
    )
    const send = yield* makeDispatcher(functions, triggers)
    const cache = yield* Cache.WatchCache
    const sweep = Effect.gen(function* () {
      if (!(yield* cache.isComplete)) return
      yield* send({
        specversion: "1.0",
        id: `sweep.${yield* Clock.currentTimeMillis}`,
        source: "enbi-functions",
        type: sweepType,
        time: yield* preciseTime
      })
    })
    yield* Effect.logInfo("started", { functions: functions.map(({ name }) => name) })
    const queue = yield* makeEventQueue
    const deliver = Effect.andThen(cache.complete, queue.deliver(send))
    yield* Effect.all([cache.follow(queue.offer), deliver, Effect.repeat(sweep, Schedule.spaced("30 seconds"))], {
      concurrency: "unbounded"
    })
  }).pipe(Effect.scoped)

const services = (functions: ReadonlyArray<EnbiFunction<unknown>>) =>
  Server.pipe(
    Layer.provideMerge(Cache.layer(kindsOf(functions))),
    Layer.provideMerge(layerOf("enbi-functions", readNodeRepel())),
    Layer.provideMerge(logLevel),
    Layer.provide(logger)
  )

runProcess(
  loadFunctions(new URL("../functions/", import.meta.url)).pipe(
    Effect.flatMap((functions) => Effect.provide(program(functions), services(functions))),
    Effect.provide(NodeServices.layer)
  )
)
