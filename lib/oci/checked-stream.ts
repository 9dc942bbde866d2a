/**
 * Passes bytes on while a check reads the same bytes, and keeps the last of
 * them back until the check is through: who needs all of them, as containerd
 * does to keep a blob, gets nothing that was refused.
 */
import { Effect, Fiber, Queue, Stream } from "effect"
import type { Cause } from "effect"

/** `bytes`, or what `check` fails with in place of their end. Neither side runs ahead of the other by more than a chunk or two. */
export const whileChecking = <E, R, E2, R2>(
  bytes: Stream.Stream<Uint8Array, E, R>,
  check: (bytes: Stream.Stream<Uint8Array>) => Effect.Effect<void, E2, R2>
): Stream.Stream<Uint8Array, E | E2, R | R2> =>
  Stream.unwrap(
    Effect.gen(function* () {
      const queue = yield* Queue.bounded<Uint8Array, Cause.Done>(1)
      // When the check fails, the queue has no reader any more: an offer to it must not wait.
      const checking = yield* Effect.forkScoped(Effect.ensuring(check(Stream.fromQueue(queue)), Queue.shutdown(queue)))
      let held: Uint8Array = new Uint8Array()
      const passed = Stream.mapEffect(
        bytes,
        Effect.fnUntraced(function* (chunk: Uint8Array) {
          if (!(yield* Queue.offer(queue, chunk))) yield* Fiber.join(checking)
          const before = held
          held = chunk
          return before
        })
      )
      const last = Effect.gen(function* () {
        yield* Queue.end(queue)
        yield* Fiber.join(checking)
        return held
      })
      return Stream.concat(passed, Stream.fromEffect(last)).pipe(Stream.filter(({ length }) => length > 0))
    })
  )
