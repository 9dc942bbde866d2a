/** Events that wait for the functions. */
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { makeEventQueue } from "../../embedded/event-queue.ts"
import type { CloudEvent } from "../../lib/runtime/events.ts"

const event = (name: string, id: string, time: string): CloudEvent => ({
  specversion: "1.0",
  id,
  source: "test",
  type: "dev.knative.apiserver.resource.update",
  kind: "Pod",
  name,
  time
})

it.effect("those about one object that wait are one: the newest, since the time of the oldest", () =>
  Effect.gen(function* () {
    const queue = yield* makeEventQueue
    const told: Array<string> = []
    yield* queue.offer(event("a", "1", "10:00"))
    yield* queue.offer(event("b", "2", "10:01"))
    for (let id = 3; id < 1000; id += 1) yield* queue.offer(event("a", String(id), "10:02"))
    yield* Effect.forkChild(
      queue.deliver(({ id, name, time }) => Effect.sync(() => void told.push(`${name} ${id} ${time}`))),
      { startImmediately: true }
    )
    yield* Effect.yieldNow
    assert.deepStrictEqual(told, ["a 999 10:00", "b 2 10:01"])
    // What comes after it was brought is another event.
    yield* queue.offer(event("a", "1000", "10:03"))
    yield* Effect.yieldNow
    assert.deepStrictEqual(told.slice(2), ["a 1000 10:03"])
  })
)

it.effect("what has come and changed since has come, unless it has gone", () =>
  Effect.gen(function* () {
    const queue = yield* makeEventQueue
    const told: Array<string> = []
    const offer = (name: string, verb: string) =>
      queue.offer({ ...event(name, "1", "10:00"), type: `dev.knative.apiserver.resource.${verb}` })
    for (const verb of ["add", "update"]) yield* offer("a", verb)
    for (const verb of ["add", "update", "delete"]) yield* offer("b", verb)
    for (const verb of ["delete", "add"]) yield* offer("c", verb)
    yield* Effect.forkChild(
      queue.deliver(({ name, type }) => Effect.sync(() => void told.push(`${type.split(".").at(-1)} ${name}`))),
      { startImmediately: true }
    )
    yield* Effect.repeat(Effect.yieldNow, { times: 10 })
    assert.deepStrictEqual(told, ["add a", "delete b", "add c"])
  })
)

it.effect("whoever brings an event waits for nobody", () =>
  Effect.gen(function* () {
    const queue = yield* makeEventQueue
    yield* Effect.forkChild(
      queue.deliver(() => Effect.never),
      { startImmediately: true }
    )
    for (const name of ["a", "b", "c"]) yield* queue.offer(event(name, name, "10:00"))
  })
)
