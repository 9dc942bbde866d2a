/** The locks between builds and a collection, as the kernel sees them. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, FileSystem, Option, Scope, Stream } from "effect"
import { ChildProcess, ChildProcessSpawner } from "effect/process"
import { hold, type Lock, tryHold } from "../../jobs/cache/locks.ts"

const makePath = Effect.gen(function* () {
  const fs = yield* FileSystem.FileSystem
  return `${yield* fs.makeTempDirectoryScoped()}/lock`
})

const shared = (path: string): Lock => ({ path, mode: "shared", waitingFor: "the test" })
const exclusive = (path: string): Lock => ({ path, mode: "exclusive", waitingFor: "the test" })
const isFree = (lock: Lock) => Effect.scoped(tryHold(lock))
const services = Effect.provide(NodeServices.layer)

it.live("many hold a lock together, one holds it alone, and with the scope it is given back", () =>
  Effect.gen(function* () {
    const path = yield* makePath
    const together = yield* Scope.make()
    yield* Scope.provide(hold(shared(path)), together)
    assert.isTrue(yield* isFree(shared(path)))
    assert.isFalse(yield* isFree(exclusive(path)))
    yield* Scope.close(together, Exit.void)
    const alone = yield* Scope.make()
    yield* Scope.provide(hold(exclusive(path)), alone)
    assert.isFalse(yield* isFree(shared(path)))
    yield* Scope.close(alone, Exit.void)
    assert.isTrue(yield* isFree(exclusive(path)))
  }).pipe(Effect.scoped, services)
)

it.live("a long wait is told, ends when the lock is free, and who gives up waiting holds nothing", () =>
  Effect.gen(function* () {
    const path = yield* makePath
    const before = yield* Scope.make()
    yield* Scope.provide(hold(exclusive(path)), before)
    const wait = Effect.fnUntraced(function* () {
      const told = yield* Deferred.make<string>()
      const fiber = yield* Effect.forkChild(
        Effect.scoped(hold(exclusive(path), (line) => Effect.asVoid(Deferred.succeed(told, line))))
      )
      return { told, fiber }
    })
    const patient = yield* wait()
    const impatient = yield* wait()
    assert.strictEqual(yield* Deferred.await(patient.told), "waiting for the test")
    yield* Deferred.await(impatient.told)
    yield* Fiber.interrupt(impatient.fiber)
    yield* Scope.close(before, Exit.void)
    yield* Fiber.join(patient.fiber)
    assert.isTrue(yield* isFree(exclusive(path)))
  }).pipe(Effect.scoped, services)
)

it.live("the kernel gives the lock back when its program is killed", () =>
  Effect.gen(function* () {
    const path = yield* makePath
    const spawner = yield* ChildProcessSpawner.ChildProcessSpawner
    const module = new URL("../../jobs/cache/locks.ts", import.meta.url).href
    const program = `
      import { Console, Effect } from "effect"
      import { hold } from ${JSON.stringify(module)}
      const lock = ${JSON.stringify(exclusive(path))}
      setInterval(() => {}, 1000) // Nothing else would keep Node from ending by itself.
      Effect.runPromise(Effect.scoped(Effect.andThen(hold(lock), Effect.andThen(Console.log("held"), Effect.never))))`
    const child = yield* spawner.spawn(
      ChildProcess.make(process.execPath, ["--input-type=module", "--eval", program], { stdin: "ignore" })
    )
    const said = yield* child.stdout.pipe(Stream.decodeText, Stream.splitLines, Stream.runHead)
    assert.deepStrictEqual(said, Option.some("held"))
    assert.isFalse(yield* isFree(shared(path)))
    yield* child.kill({ killSignal: "SIGKILL" })
    assert.isTrue(yield* isFree(exclusive(path)))
  }).pipe(Effect.scoped, services)
)

it.live("a link in the place of the lock is not followed", () =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const path = yield* makePath
    yield* fs.symlink("/dev/null", path)
    const failure = yield* Effect.flip(Effect.scoped(hold(shared(path))))
    assert.match(failure.message, /cache cannot be locked/)
  }).pipe(Effect.scoped, services)
)
