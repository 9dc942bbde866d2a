/** `registry/serve.sh` with a script in the place of Distribution: it never collects while something may be pushed. */
import { NodeServices } from "@effect/platform-node"
import { assert, it } from "@effect/vitest"
import { Effect, FileSystem, Path, Schedule } from "effect"
import { ChildProcess, ChildProcessSpawner } from "effect/process"

// Tells what it does; a push that is under way holds its end up.
const distribution = `#!/bin/sh
tell() { echo "$1" >>told; }
case $1 in
  serve)
    trap 'sleep 0.2; tell "serves no more"; exit' TERM
    tell serves
    while [ ! -e crash ]; do sleep 0.05; done
    exit 3 ;;
  garbage-collect)
    tell collects
    sleep 0.2
    tell "has collected"
    [ ! -e unreadable ] ;;
esac
`

const makeStorage = Effect.gen(function* () {
  const files = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const spawner = yield* ChildProcessSpawner.ChildProcessSpawner
  const cwd = yield* files.makeTempDirectoryScoped()
  const bin = yield* files.makeTempDirectoryScoped()
  yield* files.writeFileString(path.join(bin, "registry"), distribution)
  yield* files.chmod(path.join(bin, "registry"), 0o755)
  const told = files.readFileString(path.join(cwd, "told")).pipe(
    Effect.map((text) => text.trim().split("\n")),
    Effect.orElseSucceed((): ReadonlyArray<string> => [])
  )
  const soon = { schedule: Schedule.spaced("20 millis") }
  const file = (name: string) => path.join(cwd, name)
  return {
    told,
    start: spawner.spawn(
      ChildProcess.make("sh", [path.resolve("registry/serve.sh")], {
        cwd,
        env: { PATH: `${bin}:${process.env["PATH"]}` },
        stdin: "ignore"
      })
    ),
    make: (name: string) => files.writeFileString(file(name), ""),
    isThere: (name: string) => files.exists(file(name)),
    gone: (name: string) =>
      files.exists(file(name)).pipe(Effect.repeat({ ...soon, while: (isThere: boolean) => isThere })),
    /** Waits until this was told so often. */
    tells: (what: string, times = 1) =>
      told.pipe(Effect.repeat({ ...soon, until: (lines) => lines.filter((line) => line === what).length >= times }))
  }
})

it.live("a collection begins when nothing is served any more, and ends before something is", () =>
  Effect.gen(function* () {
    const { gone, isThere, make, start, tells, told } = yield* makeStorage
    const process = yield* start
    yield* tells("serves")
    yield* make("collect")
    yield* gone("collect")
    yield* tells("serves", 2)
    yield* process.kill()
    assert.strictEqual(yield* process.exitCode, 0)
    const once = ["serves", "serves no more"]
    assert.deepStrictEqual(yield* told, [...once, "collects", "has collected", ...once])
    assert.isFalse(yield* isThere("collect-failed"))
  }).pipe(Effect.scoped, Effect.provide(NodeServices.layer))
)

it.live("a collection that fails is said to have failed, and serving goes on", () =>
  Effect.gen(function* () {
    const { gone, isThere, make, start, tells } = yield* makeStorage
    yield* make("unreadable")
    yield* make("collect")
    const process = yield* start
    yield* gone("collect")
    assert.isTrue(yield* isThere("collect-failed"))
    yield* tells("serves")
    yield* process.kill()
  }).pipe(Effect.scoped, Effect.provide(NodeServices.layer))
)

it.live("of two Pods on one volume the second begins when the first has ended", () =>
  Effect.gen(function* () {
    const { make, start, tells, told } = yield* makeStorage
    const first = yield* start
    yield* tells("serves")
    const second = yield* start
    yield* make("collect")
    yield* tells("serves", 2)
    yield* first.kill()
    yield* tells("serves", 3)
    yield* second.kill()
    yield* second.exitCode
    const once = ["serves", "serves no more"]
    assert.deepStrictEqual(yield* told, [...once, "collects", "has collected", ...once, ...once])
  }).pipe(Effect.scoped, Effect.provide(NodeServices.layer))
)

it.live("where Distribution ends by itself, the container does", () =>
  Effect.gen(function* () {
    const { make, start, tells } = yield* makeStorage
    const process = yield* start
    yield* tells("serves")
    yield* make("crash")
    assert.strictEqual(yield* process.exitCode, 1)
  }).pipe(Effect.scoped, Effect.provide(NodeServices.layer))
)
