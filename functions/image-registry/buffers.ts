/**
 * A file's bytes through buffers that are used again and again. All readers
 * share them and wait for one in turn, so that a hundred pulls at once take no
 * more memory than a few.
 *
 * Node's streams, and Effect's of a file, take a new buffer for each part: two
 * to four times the processor time for each gigabyte.
 */
import { Cause, Effect, Fiber, type FileSystem, Schema, Semaphore, Stream } from "effect"
import type { Range } from "../../lib/oci/distribution.ts"

// Of a quarter to one mebibyte they take the same time for each gigabyte, smaller ones more.
const size = 512 * 1024

// A client that takes more than twice as long for a buffer's bytes keeps others from their images; containerd comes
// again for the rest.
const maxWrite = "60 seconds"

/** A file is shorter than it was. */
export class CutOff extends Schema.TaggedError<CutOff>()("CutOff", {}) {}

/** `count` buffers, made when they are first needed. */
export const makeBuffers = (count: number) =>
  Effect.map(Semaphore.make(count), (places) => {
    const unused: Array<Uint8Array> = []

    /** The bytes of a range, to be read once, before the scope closes. A client that takes too long loses its fiber. */
    const read = Effect.fnUntraced(function* (file: FileSystem.File, { first, last }: Range) {
      const reader = yield* Effect.withFiber((fiber) => Effect.succeed(fiber))
      let position = first
      let held: Uint8Array | undefined

      const take = Effect.uninterruptibleMask((restore) =>
        Effect.map(restore(places.take(1)), () => {
          const buffer = unused.pop() ?? Buffer.allocUnsafeSlow(size)
          held = buffer
          return buffer
        })
      )

      /** The next pull comes when the kernel has taken all of the bytes before. */
      const pull = Effect.gen(function* () {
        if (held !== undefined) {
          unused.push(held)
          held = undefined
          yield* places.release(1)
        }
        if (position > last) return yield* Cause.done()
        const bytes = (yield* take).subarray(0, last - position + 1)
        yield* fill(file, { bytes, from: position })
        position += bytes.length
        return [bytes] as const
      })

      // The bytes may still be on their way to a client that is gone, so the buffer is not used again, but its place is.
      yield* Effect.addFinalizer(() => (held === undefined ? Effect.void : places.release(1)))
      yield* Effect.forkScoped(
        Effect.gen(function* () {
          const before = position
          yield* Effect.sleep(maxWrite)
          if (held !== undefined && position === before) yield* Fiber.interrupt(reader)
        }).pipe(Effect.forever)
      )
      return Stream.fromPull(Effect.succeed(pull))
    })

    return { read }
  })
export type Buffers = Effect.Success<ReturnType<typeof makeBuffers>>

/** Reads until `bytes` is full. Not to be interrupted: the kernel would go on writing to a buffer that another has by then. */
export const fill = (file: FileSystem.File, { bytes, from }: { readonly bytes: Uint8Array; readonly from: number }) =>
  Effect.gen(function* () {
    let filled = 0
    while (filled < bytes.length) {
      const read = yield* file.read(bytes.subarray(filled), { position: BigInt(from + filled) })
      if (read === 0) return yield* new CutOff()
      filled += read
    }
  }).pipe(Effect.uninterruptible)
