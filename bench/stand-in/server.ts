/** An API server with as many objects as one likes, and with the controllers and kubelets that a NixBuild needs. */
import { Effect, Queue, Ref, Schedule } from "effect"
import { randomUUID } from "node:crypto"
import { answerFrom, type ApiRequest, isWrite } from "../../lib/memory/api-server.ts"
import { keyOf } from "../../lib/kubernetes/kind.ts"
import { makeFront, serve } from "../../lib/memory/http.ts"
import { makeObjects, type Objects } from "../../lib/memory/objects.ts"
import type { KubernetesError } from "../../lib/kubernetes/error.ts"
import { makeWorld } from "../../test/memory/world.ts"
import { objectsOf, type Size } from "./objects.ts"

/** Its URL, as long as the scope is open, and the writes that it was asked for. */
export const serveCluster = Effect.fnUntraced(function* (size: Size) {
  const objects = makeObjects({ uidOf: () => randomUUID() })
  for (const object of objectsOf(size)) yield* Effect.orDie(objects.restore(object))
  yield* runWorld(objects)

  const writes = yield* Ref.make<ReadonlyArray<string>>([])
  const receive = <A>(asked: ApiRequest, answer: Effect.Effect<A, KubernetesError>) =>
    Effect.andThen(
      isWrite(asked.verb) ? Ref.update(writes, (before) => [...before, `${asked.verb} ${keyOf(asked)}`]) : Effect.void,
      answer
    )
  const url = yield* serve(makeFront(objects, answerFrom(objects, receive)))
  return { url, writes: Ref.get(writes) }
})

/** Jobs run and end and Pods start as soon as anything about them changes. */
const runWorld = Effect.fnUntraced(function* (objects: Objects) {
  const world = makeWorld(objects)
  const changed = yield* Queue.unbounded<string>()
  let isCollectable = false
  objects.observers.push(({ object, verb }) => {
    if (verb === "DELETED") isCollectable = true
    else if (object.kind === "Job" || object.kind === "Pod") {
      Queue.offerUnsafe(changed, keyOf({ ...object.metadata, kind: object.kind }))
    }
  })
  const act = Effect.gen(function* () {
    const object = objects.objects.get(yield* Queue.take(changed))
    if (object !== undefined) yield* world.act(object)
  })
  const collect = Effect.suspend(() => {
    const isNeeded = isCollectable
    isCollectable = false
    return isNeeded ? world.collect : Effect.void
  })
  yield* Effect.forkScoped(Effect.forever(act))
  yield* Effect.forkScoped(Effect.repeat(collect, Schedule.spaced("1 second")))
})
