/** When a cache is collected, what goes and what stays; `nix` is a script here. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, it } from "@effect/vitest"
import { Console, Effect, Exit, Fiber, FileSystem, Ref, Schedule, Scope } from "effect"
import { cacheBytes } from "../../jobs/cache/cache-size.ts"
import { enterCache } from "../../jobs/cache/gate.ts"
import { hold } from "../../jobs/cache/locks.ts"
import type { Build } from "../../jobs/build/nix-steps.ts"
import { addLayout, filterOf, makeBuild, makeCache, own, setStoreBytes, startDatabase, uid } from "./cache.ts"

const path = process.env["PATH"]
const services = <A, E>(effect: Effect.Effect<A, E, NodeServices.NodeServices | Scope.Scope>) =>
  effect.pipe(
    Effect.scoped,
    Effect.provide(NodeServices.layer),
    Effect.provideService(Console.Console, { ...globalThis.console, log: () => {} }),
    Effect.ensuring(Effect.sync(() => (process.env["PATH"] = path)))
  )

/** A cache whose store `nix` empties, if it does; what it was asked for is written down. */
const withNix = Effect.fnUntraced(function* (script: string) {
  const made = yield* makeCache
  yield* made.program("nix", `echo "$@" | sed 's/.*store gc/store gc/' >> ${made.root}/asked\n${script}`)
  yield* Effect.sync(() => (process.env["PATH"] = `${made.root}/bin:${path}`))
  const fs = yield* FileSystem.FileSystem
  return { ...made, asked: Effect.orElseSucceed(fs.readFileString(`${made.root}/asked`), () => "") }
})

const enter = (build: Build) => Effect.scoped(enterCache(build))

const building = (made: { readonly cache: { readonly lock: string } }) =>
  hold({ path: made.cache.lock, mode: "shared", waitingFor: "nothing" })

const saysIn = (build: Build, words: string) =>
  Ref.get(build.log).pipe(
    Effect.repeat({ until: ({ tail }) => tail.some((line) => line.includes(words)), schedule: Schedule.spaced(20) })
  )

const layoutsOf = Effect.fnUntraced(function* ({ cache }: Effect.Success<typeof makeCache>) {
  const fs = yield* FileSystem.FileSystem
  return (yield* fs.readDirectory(cache.layouts)).toSorted()
})

it.live("what is of nobody goes when no build runs: not what is younger than the list, and not one's own", () =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const made = yield* withNix("")
    const [gone, living, young] = [uid(2), uid(3), uid(4)]
    for (const name of [gone, living, own]) yield* addLayout(made, name)
    yield* addLayout(made, young, { minutes: 1 })
    yield* addLayout(made, `.incoming-${living}`)
    yield* addLayout(made, "not-ours")
    for (const folder of [made.cache.rootsOf(gone), made.cache.fetchedOf(gone)]) {
      yield* fs.makeDirectory(folder, { recursive: true })
      yield* fs.utimes(folder, 0, 0)
    }
    const left = `${made.cache.builds}/nix-1/read-only`
    yield* fs.makeDirectory(left, { recursive: true })
    yield* fs.writeFileString(`${left}/file`, "")
    yield* fs.chmod(left, 0o555)
    yield* enter(yield* makeBuild(made, { liveFilter: filterOf(own, living) }))
    assert.deepStrictEqual(yield* layoutsOf(made), [own, living, young, "not-ours"])
    assert.deepStrictEqual(yield* fs.readDirectory(made.cache.roots), [])
    assert.deepStrictEqual(yield* fs.readDirectory(made.cache.fetched), [])
    assert.deepStrictEqual(yield* fs.readDirectory(made.cache.builds), [])
    assert.strictEqual(yield* made.asked, "")
  }).pipe(services)
)

it.live("a database that another build is just making says nothing of the store yet", () =>
  Effect.gen(function* () {
    const made = yield* withNix("")
    yield* addLayout(made, own)
    yield* startDatabase(made)
    assert.strictEqual(yield* cacheBytes(made.cache), 1000)
    yield* enter(yield* makeBuild(made, { cacheLimitBytes: 2000, liveFilter: filterOf(own) }))
    assert.strictEqual(yield* made.asked, "")
  }).pipe(services)
)

it.live("a list without the NixBuild itself is none", () =>
  Effect.gen(function* () {
    const made = yield* withNix("")
    yield* addLayout(made, uid(2))
    yield* enter(yield* makeBuild(made, { liveFilter: "" }))
    yield* enter(yield* makeBuild(made, { liveFilter: filterOf(uid(3)) }))
    assert.deepStrictEqual(yield* layoutsOf(made), [uid(2)])
  }).pipe(services)
)

it.live("beside a build that runs nothing goes, and nobody waits", () =>
  Effect.gen(function* () {
    const made = yield* withNix("")
    yield* addLayout(made, uid(2))
    yield* building(made)
    yield* enter(yield* makeBuild(made))
    assert.deepStrictEqual(yield* layoutsOf(made), [uid(2)])
  }).pipe(services)
)

it.live("a cache over its limit frees down to three quarters of it", () =>
  Effect.gen(function* () {
    const made = yield* withNix("")
    yield* made.program(
      "nix",
      `echo "$@" | sed 's/.*store gc/store gc/' >> ${made.root}/asked\nrm ${made.cache.database}`
    )
    yield* setStoreBytes(made, 99_000)
    yield* addLayout(made, uid(2))
    yield* addLayout(made, own)
    assert.strictEqual(yield* cacheBytes(made.cache), 101_000)
    yield* enter(yield* makeBuild(made, { cacheLimitBytes: 101_000 }))
    assert.strictEqual(yield* made.asked, "")
    yield* enter(yield* makeBuild(made, { cacheLimitBytes: 99_500 }))
    assert.strictEqual(yield* made.asked, `store gc --quiet --max ${100_000 - 99_500 * 0.75}\n`)
    assert.deepStrictEqual(yield* layoutsOf(made), [own])
  }).pipe(services)
)

it.live("what is too large after everything went fails with DiskFull and says what to do", () =>
  Effect.gen(function* () {
    const made = yield* withNix("")
    yield* setStoreBytes(made, 3 * 2 ** 30)
    const failure = yield* Effect.flip(enter(yield* makeBuild(made, { cacheLimitBytes: 2 ** 30 })))
    assert.strictEqual(failure._tag === "Failure" ? failure.reason : failure._tag, "DiskFull")
    assert.include(failure.message, "still holds 3 GiB (limit 1 GiB)")
    assert.include(failure.message, "CACHE_LIMIT")
    assert.match(yield* made.asked, /^store gc --quiet --max \d+\nstore gc --quiet\n$/)
  }).pipe(services)
)

it.live("a full disk while collecting is DiskFull too", () =>
  Effect.gen(function* () {
    const made = yield* withNix("exit 1")
    yield* setStoreBytes(made, 2000)
    const reasonWith = Effect.fnUntraced(function* (room: { readonly bytes: number; readonly files: number }) {
      const failure = yield* Effect.flip(enter(yield* makeBuild(made, { cacheLimitBytes: 1000 }, room)))
      return failure._tag === "Failure" ? failure.reason : failure._tag
    })
    assert.strictEqual(yield* reasonWith({ bytes: 1000, files: 1000 }), "DiskFull")
    assert.strictEqual(yield* reasonWith({ bytes: 2 ** 30, files: 3 }), "DiskFull")
    assert.strictEqual(yield* reasonWith({ bytes: 2 ** 30, files: 1000 }), "BuildFailed")
  }).pipe(services)
)

it.live("without a limit nothing is collected", () =>
  Effect.gen(function* () {
    const made = yield* withNix("")
    yield* setStoreBytes(made, 2 ** 50)
    yield* enter(yield* makeBuild(made, { cacheLimitBytes: 0 }))
    assert.strictEqual(yield* made.asked, "")
  }).pipe(services)
)

it.live("a collection waits for the builds that run, and the builds that come later wait for it", () =>
  Effect.gen(function* () {
    const made = yield* withNix("")
    yield* made.program("nix", `echo collected >> ${made.root}/asked; rm ${made.cache.database}`)
    yield* setStoreBytes(made, 2000)
    const first = yield* Scope.make()
    yield* Scope.provide(building(made), first)
    const collecting = yield* makeBuild(made, { cacheLimitBytes: 1000 })
    const collector = yield* Effect.forkChild(enter(collecting))
    yield* saysIn(collecting, "running builds to finish")
    const late = yield* makeBuild(made)
    const latecomer = yield* Effect.forkChild(Effect.andThen(enter(late), made.asked))
    yield* saysIn(late, "the collection of the cache")
    assert.strictEqual(yield* made.asked, "", "the first build still runs")
    yield* Scope.close(first, Exit.void)
    yield* Fiber.join(collector)
    assert.strictEqual(yield* Fiber.join(latecomer), "collected\n", "it came after the collection")
  }).pipe(services)
)

it.live("what is gone goes however many NixBuilds the namespace has", () =>
  Effect.gen(function* () {
    const made = yield* withNix("")
    const gone = [uid(2), uid(3)]
    const living = Array.from({ length: 3001 }, (_, index) => uid(1000 + index))
    for (const name of [...gone, ...living.slice(0, 3), own]) yield* addLayout(made, name)
    yield* enter(yield* makeBuild(made, { liveFilter: filterOf(own, ...living) }))
    assert.deepStrictEqual(yield* layoutsOf(made), [own, ...living.slice(0, 3)])
  }).pipe(services)
)
