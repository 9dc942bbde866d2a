/** The buffers that all pulls share: how many there are, who waits, and who gives them back. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, layer } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, FileSystem, Stream } from "effect"
import { TestClock } from "effect/testing"
import { createHash } from "node:crypto"
import { type Buffers, CutOff, makeBuffers } from "../../functions/image-registry/buffers.ts"

const mebibyte = 1024 * 1024
const size = 5 * mebibyte + 11
const all = { first: 0, last: size - 1 }

const makeFile = Effect.gen(function* () {
  const files = yield* FileSystem.FileSystem
  const path = `${yield* files.makeTempDirectoryScoped()}/layer`
  const bytes = new Uint8Array(size).map((_, at) => (at * 131) % 251)
  yield* files.writeFile(path, bytes)
  return { path, bytes }
})

const hashOf = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex")

/** Reads as a client of HTTP does: a chunk is gone when the next is asked for. */
const read = (
  buffers: Buffers,
  path: string,
  whenChunk: (chunk: Uint8Array) => Effect.Effect<void> = () => Effect.void
) =>
  Effect.gen(function* () {
    const files = yield* FileSystem.FileSystem
    const file = yield* files.open(path)
    const hash = createHash("sha256")
    yield* Stream.runForEach(Stream.unwrap(buffers.read(file, all)), (chunk) =>
      Effect.andThen(
        Effect.sync(() => hash.update(chunk)),
        whenChunk(chunk)
      )
    )
    return hash.digest("hex")
  }).pipe(Effect.scoped)

layer(NodeServices.layer)("shared buffers", (it) => {
  it.effect("are no more than there may be, for a hundred pulls at once, and each has its own bytes", () =>
    Effect.gen(function* () {
      const { bytes, path } = yield* makeFile
      const buffers = yield* makeBuffers(4)
      const seen = new Set<ArrayBufferLike>()
      const hashes = yield* Effect.forEach(
        Array.from({ length: 100 }),
        () =>
          read(buffers, path, (chunk) =>
            Effect.andThen(
              Effect.sync(() => seen.add(chunk.buffer)),
              Effect.yieldNow
            )
          ),
        { concurrency: "unbounded" }
      )
      assert.deepStrictEqual(new Set(hashes), new Set([hashOf(bytes)]))
      assert.isAtMost(seen.size, 4)
    }).pipe(Effect.scoped)
  )

  it.effect("are free again when a client is gone in the middle, and are not written to any more", () =>
    Effect.gen(function* () {
      const { bytes, path } = yield* makeFile
      const buffers = yield* makeBuffers(1)
      const held: Array<Uint8Array> = []
      const reached = yield* Deferred.make<void>()
      const gone = yield* Effect.forkChild(
        read(buffers, path, (chunk) =>
          Effect.gen(function* () {
            held.push(chunk)
            yield* Deferred.succeed(reached, undefined)
            return yield* Effect.never
          })
        )
      )
      yield* Deferred.await(reached)
      const waiting = yield* Effect.forkChild(read(buffers, path), { startImmediately: true })
      assert.isUndefined(waiting.pollUnsafe())
      yield* Fiber.interrupt(gone)
      assert.strictEqual(yield* Fiber.join(waiting), hashOf(bytes))
      const [first] = held
      assert.isTrue(Buffer.from(first ?? new Uint8Array()).equals(bytes.subarray(0, first?.length)))
    }).pipe(Effect.scoped)
  )

  it.effect("are taken from a client that takes no buffer's bytes in two minutes, and not from one that is slow", () =>
    Effect.gen(function* () {
      const { bytes, path } = yield* makeFile
      const buffers = yield* makeBuffers(1)
      const reached = yield* Deferred.make<void>()
      const dead = yield* Effect.forkChild(
        read(buffers, path, () => Effect.andThen(Deferred.succeed(reached, undefined), Effect.never))
      )
      yield* Deferred.await(reached)
      yield* TestClock.adjust("2 minutes")
      assert.isTrue(Exit.hasInterrupts(yield* Fiber.await(dead)))
      let chunks = 0
      const slow = read(buffers, path, () =>
        Effect.andThen(
          Effect.sync(() => (chunks += 1)),
          TestClock.adjust("50 seconds")
        )
      )
      assert.strictEqual(yield* slow, hashOf(bytes))
      assert.isAbove(chunks, 5)
    }).pipe(Effect.scoped)
  )

  it.effect("of a file that became shorter: the pull breaks off, and the next one is not held up", () =>
    Effect.gen(function* () {
      const files = yield* FileSystem.FileSystem
      const { path } = yield* makeFile
      const buffers = yield* makeBuffers(1)
      yield* files.truncate(path, 2 * mebibyte)
      for (let pulls = 0; pulls < 3; pulls += 1) {
        assert.instanceOf(yield* Effect.flip(read(buffers, path)), CutOff)
      }
    }).pipe(Effect.scoped)
  )
})
