/** A full disk is told from other failures of files. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, it } from "@effect/vitest"
import { Effect, FileSystem } from "effect"
import { orFailure } from "../../builder/disk.ts"

it.effect("a file that cannot be written because the disk is full is DiskFull, another is not", () =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    // Linux, full(4): every write fails with ENOSPC.
    const full = yield* Effect.flip(fs.writeFileString("/dev/full", "x"))
    assert.strictEqual(orFailure("BuildFailed")(full).reason, "DiskFull")
    const missing = yield* Effect.flip(fs.readFileString("/dev/nothing-of-this-name"))
    const failure = orFailure("BuildFailed")(missing)
    assert.strictEqual(failure.reason, "BuildFailed")
    assert.include(failure.message, "nothing-of-this-name")
  }).pipe(Effect.provide(NodeServices.layer))
)
