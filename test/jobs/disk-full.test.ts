/** A full disk is told from other failures: by what is left, and by the kernel's error number. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, it } from "@effect/vitest"
import { Effect, FileSystem, Ref } from "effect"
import { TestClock } from "effect/testing"
import { isFull, orFailure, type Room, roomOn, watchRoom } from "../../jobs/disk-full.ts"

it.effect("a file that cannot be written because the disk is full is DiskFull, another is not", () =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    // Linux, full(4): every write fails with ENOSPC.
    const full = yield* Effect.flip(fs.writeFileString("/dev/full", "x"))
    assert.strictEqual(orFailure("BuildFailed")(full).reason, "DiskFull")
    const missing = yield* Effect.flip(fs.readFileString("/dev/ENOSPC: no space left on device"))
    const failure = orFailure("BuildFailed")(missing)
    assert.strictEqual(failure.reason, "BuildFailed")
    assert.include(failure.message, "no space left on device")
  }).pipe(Effect.provide(NodeServices.layer))
)

it.effect("what can be asked has room, what is not there is no obstacle", () =>
  Effect.gen(function* () {
    const { bytes, files } = yield* roomOn(["/tmp", "/nothing-of-this-name"])
    assert.isAbove(bytes, 0)
    assert.isAbove(files, 0)
    assert.isFalse(isFull(yield* roomOn(["/nothing-of-this-name"])))
  })
)

const [full, empty]: readonly [Room, Room] = [
  { bytes: 0, files: 1000 },
  { bytes: 2 ** 30, files: 1000 }
]

it.effect("a disk that was full when something was said counts, and one that was full a while ago does not", () =>
  Effect.gen(function* () {
    const room = yield* Ref.make(empty)
    const watching = (use: (look: Effect.Effect<void>) => Effect.Effect<void>) =>
      Effect.map(watchRoom(Ref.get(room), use), ({ isDiskFull }) => isDiskFull)
    const fills = (look: Effect.Effect<void>, afterwards: Effect.Effect<void>) =>
      Effect.gen(function* () {
        yield* Ref.set(room, full)
        yield* look
        // Nix has removed what the build wrote.
        yield* Ref.set(room, empty)
        yield* afterwards
      })
    assert.isFalse(yield* watching(() => Effect.void))
    assert.isTrue(yield* watching((look) => fills(look, TestClock.adjust("1 second"))))
    assert.isFalse(yield* watching((look) => fills(look, TestClock.adjust("1 minute"))))
    assert.isTrue(yield* watching(() => Ref.set(room, full)), "at the end")
    yield* Ref.set(room, empty)
    const whenNothingIsSaid = Effect.gen(function* () {
      yield* Ref.set(room, full)
      yield* TestClock.adjust("1 second")
      yield* Ref.set(room, empty)
    })
    assert.isTrue(yield* watching(() => whenNothingIsSaid))
  })
)
