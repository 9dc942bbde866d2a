/**
 * The way of a Pod, from its failure to its running container, told by events
 * to functions that run as on Knative: each with its own door, over an API
 * server in memory. Each event comes twice.
 */
import { NodeServices } from "@effect/platform-node"
import { Context, Effect, Layer, Logger } from "effect"
import { TestClock } from "effect/testing"
import type { KubernetesObject } from "../../lib/kubernetes/kind.ts"
import { loadFunctions } from "../../lib/runtime/load.ts"
import { Receiver } from "../../lib/server/receiver.ts"
import { Settings } from "../../lib/api/settings.ts"
import { currentTime, secondsBefore } from "../../lib/kubernetes/time.ts"
import type { Traces } from "../../lib/telemetry/traces.ts"
import { makeApiServer } from "../memory/api-server.ts"
import { settings } from "../memory/given.ts"
import { liveCluster } from "../memory/live.ts"
import type { Stored } from "../../lib/memory/objects.ts"
import { makeWorld } from "../memory/world.ts"

const functions = await Effect.runPromise(
  loadFunctions(new URL("../../functions/", import.meta.url)).pipe(Effect.provide(NodeServices.layer))
)

/** The event's own trace, as a tracing Broker would send it. */
export const traceparent = `00-${"7".repeat(32)}-${"8".repeat(16)}-01`

interface Way {
  readonly given: ReadonlyArray<KubernetesObject>
  /** Where a function's process sends its traces. */
  readonly tracesOf: (name: string) => ReturnType<typeof Traces.layer>
  /** Whether processes live only for one round. */
  readonly restarts?: boolean
  /** How late kubelet's news of a started container are. */
  readonly lateSeconds?: number
}

const roundSeconds = 2

/** Ends when nothing happens any more; its processes have ended then, too. */
export const walk = ({ given, lateSeconds = 0, restarts = false, tracesOf }: Way) =>
  Effect.gen(function* () {
    const api = makeApiServer()
    const world = makeWorld(api.objects)
    for (const object of given) yield* Effect.orDie(api.objects.create(object))
    const start = Effect.forEach(functions, (definition) =>
      Layer.build(
        Receiver.layer(definition).pipe(
          Layer.provide([liveCluster(api), Layer.succeed(Settings, settings), tracesOf(definition.name)]),
          Layer.fresh
        )
      ).pipe(Effect.map((context) => ({ name: definition.name, ...Context.get(context, Receiver) })))
    )
    let count = 0
    const tell = Effect.fnUntraced(function* (object: Stored, processes: Effect.Success<typeof start>) {
      const { name, namespace = "" } = object.metadata
      count += 1
      const attributes = {
        specversion: "1.0",
        id: String(count),
        source: "/api",
        type: "dev.knative.apiserver.resource.update",
        kind: object.kind,
        namespace,
        name
      } as const
      for (const { receive } of [...processes, ...processes]) {
        yield* receive({ bytes: 0, read: Effect.succeed({ attributes, data: object }), traceparent })
      }
    })
    const tellAll = Effect.fnUntraced(function* (processes: Effect.Success<typeof start>) {
      for (const object of Array.from(api.objects.objects.values())) yield* tell(object, processes)
    })
    const play = Effect.fnUntraced(function* (processes: Effect.Success<typeof start>, rounds: number) {
      for (let round = 0; round < rounds; round += 1) {
        yield* tellAll(processes)
        yield* world.tick
        yield* TestClock.adjust(`${roundSeconds} seconds`)
        yield* stampStarts(api, lateSeconds)
      }
    })
    const whole = Effect.flatMap(start, (processes) => play(processes, restarts ? 1 : 12)).pipe(Effect.scoped)
    for (let life = 0; life < (restarts ? 12 : 1); life += 1) yield* whole
    return { objects: [...api.objects.objects.values()], requests: api.requests }
  }).pipe(Effect.provide([TestClock.layer(), Logger.layer([])]))

/** kubelet writes when a container started. */
const stampStarts = Effect.fnUntraced(function* ({ objects }: ReturnType<typeof makeApiServer>, lateSeconds: number) {
  for (const { kind, metadata, status } of Array.from(objects.objects.values())) {
    const text = JSON.stringify(status ?? {})
    if (kind !== "Pod" || !text.includes('"running":{}')) continue
    const startedAt = secondsBefore(yield* currentTime, lateSeconds)
    const stamped: unknown = JSON.parse(text.replaceAll('"running":{}', `"running":{"startedAt":"${startedAt}"}`))
    yield* Effect.orDie(objects.patch({ ...metadata, kind, subresource: "status" }, { status: stamped }))
  }
})
