/**
 * Looks at objects for those who wait for the outcome. One look at one object
 * at a time, a few at once; whoever asks for an object that waits to be looked
 * at shares that look, so a thousand events about one object are two looks.
 */
import { Deferred, Effect, Semaphore } from "effect"
import type { Event } from "../cloudevents/event.ts"
import type { Cluster } from "../cluster.ts"
import type { CloudEvent } from "../events.ts"
import type { EnbiFunction } from "../function.ts"
import { run } from "../run.ts"
import type { Settings } from "../settings.ts"
import { comesFirst, keyOf, type Task } from "../task.ts"
import { makeWitness } from "../traces/trace.ts"
import { type Answer, done } from "./answer.ts"
import { settled } from "./settled.ts"
import { traced } from "./traced.ts"

/** An event, and one of the objects that it asks to look at. */
interface Waiting extends Task {
  readonly outcome: Deferred.Deferred<Answer>
}

// Bounds the requests to the API server that the function has under way.
const concurrency = 4

export const makeLooks = Effect.fnUntraced(function* (definition: EnbiFunction<unknown>) {
  const scope = yield* Effect.scope
  const services = yield* Effect.context<Cluster | Settings>()
  const slots = yield* Semaphore.make(concurrency)
  const waiting = new Map<string, Waiting>()
  const active = new Set<string>()

  const once = (key: string) =>
    Effect.suspend(() => {
      const task = waiting.get(key)
      if (task === undefined) return Effect.void
      waiting.delete(key)
      const { event, outcome, subject } = task
      return run(definition, event, subject).pipe(
        traced(definition.name, event),
        Effect.as(done),
        settled({ function: definition.name, event, subject }),
        Effect.flatMap((answer) => Deferred.succeed(outcome, answer))
      )
    })

  const work = (key: string): Effect.Effect<void, never, Cluster | Settings> =>
    Effect.suspend(() => {
      if (waiting.has(key)) return Effect.andThen(slots.withPermit(once(key)), work(key))
      active.delete(key)
      return Effect.void
    })

  /** Ends when the object has been looked at after this was asked. */
  const look = Effect.fnUntraced(function* (task: Task) {
    const key = keyOf(task)
    const before = waiting.get(key)
    const outcome = before?.outcome ?? Deferred.makeUnsafe<Answer>()
    if (comesFirst(task, before)) waiting.set(key, { ...task, outcome })
    if (!active.has(key)) {
      active.add(key)
      // Not of the sender's fiber: others may wait for it too. On shutdown what was begun is ended.
      yield* Effect.forkIn(Effect.uninterruptible(Effect.provideContext(work(key), services)), scope)
    }
    return yield* Deferred.await(outcome)
  })

  /** Which objects an event is about, as many reads at once as looks. */
  const subjectsOf = (event: CloudEvent) =>
    slots.withPermit(definition.subjects(event)).pipe(traced(definition.name, event), Effect.provideContext(services))

  const witness = makeWitness(definition)
  /** For the trace: what the event shows. */
  const see = (event: CloudEvent, data: Event["data"]) => Effect.provideContext(witness(event, data), services)

  return { look, subjectsOf, see }
})
