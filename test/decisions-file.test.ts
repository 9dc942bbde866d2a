/** The file of `DECISIONS_FILE`: what is in it, how large it gets, and that it stops nobody. */
import { NodeServices } from "@effect/platform-node"
import { assert, layer } from "@effect/vitest"
import { Effect, FileSystem, Layer, Logger, Option, Schema } from "effect"
import type { Decision } from "../lib/runtime/decision-record.ts"
import { DecisionsFile } from "../lib/runtime/decision-file.ts"
import { sweepType } from "../lib/runtime/events.ts"
import type { EnbiFunction } from "../lib/runtime/function.ts"
import { reconcile } from "../lib/runtime/reconcile.ts"
import { Settings } from "../lib/api/settings.ts"
import { decisionsFile, directory, linesOf } from "./cli/recording.ts"
import { makeApiServer } from "./memory/api-server.ts"
import { settings } from "./memory/given.ts"
import { liveCluster } from "./memory/live.ts"

const event = { specversion: "1.0", id: "event-1", source: "test", type: "test" } as const
const subject = { kind: "NixBuild", namespace: "apps", name: "a" }
const decision = (number: number, padding = 0): Decision => ({
  function: "scheduler",
  event,
  subject,
  observed: { number, padding: "x".repeat(padding) },
  actions: [],
  done: 0,
  outcome: "Done"
})

const keepAll = (env: Record<string, string>, decisions: ReadonlyArray<Decision>) =>
  Effect.gen(function* () {
    const keep = yield* DecisionsFile
    for (const each of decisions) yield* keep(each)
  }).pipe(Effect.provide(decisionsFile(env)))

const numbersIn = (lines: ReadonlyArray<string>) => lines.map((line) => JSON.parse(line).observed.number)

layer(NodeServices.layer)("the file of decisions", (it) => {
  it.effect("is rotated at half of the limit, goes on where it was after a restart, and is only its owner's", () =>
    Effect.gen(function* () {
      const files = yield* FileSystem.FileSystem
      const folder = `${yield* directory}/deeper`
      const file = `${folder}/decisions.jsonl`
      const env = { DECISIONS_FILE: file, DECISIONS_LIMIT: "4k" }
      const decisions = Array.from({ length: 20 }, (_, number) => decision(number, 200))
      yield* keepAll(env, decisions.slice(0, 13))
      yield* keepAll(env, decisions.slice(13))
      const [older, newer] = yield* Effect.all([files.readFileString(`${file}.1`), files.readFileString(file)])
      const numbers = [...numbersIn(linesOf(older)), ...numbersIn(linesOf(newer))]
      assert.deepStrictEqual(
        numbers,
        Array.from({ length: numbers.length }, (_, index) => 20 - numbers.length + index)
      )
      assert.isAbove(older.length, 1500)
      for (const text of [older, newer]) assert.isAtMost(text.length, 2000)
      assert.lengthOf(yield* files.readDirectory(folder), 2)
      assert.strictEqual((yield* files.stat(file)).mode & 0o777, 0o600)
    })
  )

  it.effect("has the time, and leaves out what alone would be more than the limit", () =>
    Effect.gen(function* () {
      const files = yield* FileSystem.FileSystem
      const file = `${yield* directory}/decisions.jsonl`
      yield* keepAll({ DECISIONS_FILE: file, DECISIONS_LIMIT: "30k" }, [decision(1, 14_000), decision(2, 20_000)])
      const [first, second] = linesOf(yield* files.readFileString(file)).map((line) => JSON.parse(line))
      assert.deepInclude(first, { time: "1970-01-01T00:00:00.000Z", function: "scheduler", actions: [] })
      assert.strictEqual(first.observed.number, 1)
      assert.match(second.observed, /^left out: \d+ characters$/)
    })
  )

  it.effect("that cannot be written stops the process at its start, and says what to do", () =>
    Effect.gen(function* () {
      const files = yield* FileSystem.FileSystem
      const taken = `${yield* directory}/taken`
      yield* files.writeFileString(taken, "a file, where a directory would have to be")
      const file = `${taken}/decisions.jsonl`
      const error = yield* Effect.flip(keepAll({ DECISIONS_FILE: file }, []))
      assert.include(error.message, `DECISIONS_FILE=${file} cannot be written`)
      assert.include(error.message, "choose a file on a writable volume, or unset it")
    })
  )

  it.effect("that goes away later stops nothing, and is told of once", () =>
    Effect.gen(function* () {
      const files = yield* FileSystem.FileSystem
      const root = yield* directory
      const lines: Array<unknown> = []
      const logger = Logger.make(({ message }) => void lines.push(message))
      yield* Effect.gen(function* () {
        const keep = yield* DecisionsFile
        yield* files.remove(root, { recursive: true })
        yield* keep(decision(1))
        yield* keep(decision(2))
        yield* files.makeDirectory(root)
        yield* keep(decision(3))
      }).pipe(Effect.provide([decisionsFile({ DECISIONS_FILE: `${root}/decisions.jsonl` }), Logger.layer([logger])]))
      assert.lengthOf(lines, 1)
      assert.deepStrictEqual(numbersIn(linesOf(yield* files.readFileString(`${root}/decisions.jsonl`))), [3])
    })
  )

  it.effect("has looks at which an event found nothing to do, but not those of a sweep", () =>
    Effect.gen(function* () {
      const files = yield* FileSystem.FileSystem
      const file = `${yield* directory}/decisions.jsonl`
      const definition: EnbiFunction<object> = {
        name: "scheduler",
        on: [],
        permissions: [],
        mapEvent: () => Effect.succeed([subject]),
        observe: () => Effect.succeed(Option.some({ seen: true })),
        Observed: Schema.toCodecJson(Schema.ObjectKeyword),
        decide: () => []
      }
      const services = Layer.mergeAll(
        liveCluster(makeApiServer()),
        Layer.succeed(Settings, settings),
        decisionsFile({ DECISIONS_FILE: file })
      )
      yield* Effect.andThen(
        reconcile(definition, { ...event, type: sweepType }, subject),
        reconcile(definition, { ...event, id: "event-2" }, subject)
      ).pipe(Effect.provide(services))
      const lines = linesOf(yield* files.readFileString(file)).map((line) => JSON.parse(line))
      assert.lengthOf(lines, 1)
      assert.deepInclude(lines[0], { event: { ...event, id: "event-2" }, decided: 0, observed: { seen: true } })
    })
  )
})
