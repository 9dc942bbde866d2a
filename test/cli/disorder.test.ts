/** `enbi decisions replay` over a whole recording, in memory, on a bad day. */
import { NodeServices } from "@effect/platform-node"
import { assert, layer } from "@effect/vitest"
import { Effect, Option } from "effect"
import { TestClock, TestConsole } from "effect/testing"
import { allWrites, readRecording } from "../../cli/recordings/recording.ts"
import { replayInMemory } from "../../cli/simulation/replay.ts"
import { codeOf } from "../../cli/exit.ts"
import type { EnbiFunction } from "../../lib/runtime/function.ts"
import { loadFunctions } from "../../lib/runtime/load.ts"
import { isSweep } from "../../lib/runtime/events.ts"
import type { Stored } from "../../lib/memory/objects.ts"
import { nixBuild, onePod, twoNodes } from "../memory/given.ts"
import { readJob } from "../memory/job.ts"
import type { Script, Stage } from "../memory/story.ts"
import { linesOf, record, undisturbed } from "./recording.ts"
import { run } from "./run.ts"

const flags = ["--shuffle", "--duplicate", "--drop"]
const seeds = [1, 2, 3]

const hello = nixBuild({ name: "hello", nodes: ["one"], image: "reg.io/hello:1", packageName: "good" })

/** Its first build Job can't reach what it needs. */
const failOnce = Effect.fnUntraced(function* (stage: Stage) {
  const { objects } = stage.api
  const live = () => [...objects.objects.values()].find((object) => object.kind === "Job" && isBuilding(object))
  for (let job = live(); job === undefined; job = live()) {
    yield* stage.first.deliverAll
    yield* stage.world.tick
  }
  const [job, pod] = [...objects.objects.values()].filter(({ metadata }) => metadata.name.includes("-build-"))
  const message = JSON.stringify({ outcome: "Failed", reason: "FetchFailed", message: "No way there.", log: "" })
  for (const [object, status] of [
    [pod, { phase: "Failed", containerStatuses: [{ name: "build", state: { terminated: { exitCode: 1, message } } }] }],
    [job, { active: null, conditions: [{ type: "Failed", status: "True" }] }]
  ] as const) {
    if (object === undefined) return yield* Effect.die("a build Job has a Pod")
    yield* objects.patch({ kind: object.kind, ...object.metadata, subresource: "status" }, { status })
  }
  yield* undisturbed(stage)
  yield* TestClock.adjust("61 seconds")
  yield* stage.first.sweep
  yield* undisturbed(stage)
}, Effect.orDie)

const isBuilding = (job: Stored): boolean => {
  const { isLive, step } = readJob(job)
  return step === "build" && isLive && job["status"] !== undefined
}

const stories: Readonly<Record<string, Script>> = {
  "Pods and a NixBuild on two nodes": { given: twoNodes },
  "a build that is tried again": { given: onePod, happens: failOnce },
  "a NixBuild that comes late, goes, and is made again": {
    given: onePod,
    happens: Effect.fnUntraced(function* (stage: Stage) {
      const { objects } = stage.api
      yield* undisturbed(stage)
      yield* objects.create(hello)
      yield* undisturbed(stage)
      yield* objects.remove({ kind: "NixBuild", ...hello.metadata })
      yield* undisturbed(stage)
      yield* objects.create(hello)
      yield* undisturbed(stage)
    }, Effect.orDie)
  }
}

/** How many there were then. */
const writesIn = (lines: ReadonlyArray<string>): number =>
  lines.flatMap((line) => Option.toArray(readRecording(line))).flatMap((recording) => allWrites(recording.record))
    .length

const lastOf = (out: string) => linesOf(out).at(-1) ?? ""

/** The same with functions that are not ours, or not as they are. */
const replayWith = Effect.fnUntraced(function* (
  change: (definition: EnbiFunction<unknown>) => EnbiFunction<unknown>,
  seed: number
) {
  const { lines } = yield* record({ given: onePod })
  const functions = (yield* loadFunctions(new URL("../../functions/", import.meta.url))).map(change)
  const recordings = lines.flatMap((line) => Option.toArray(readRecording(line)))
  const disorder = { shuffle: true, duplicate: true, drop: true, seed: Option.some(seed) }
  const exit = yield* Effect.exit(replayInMemory({ functions, recordings }, disorder))
  return { code: codeOf(exit), out: (yield* TestConsole.logLines).join("\n") }
}, Effect.provide(TestConsole.layer))

layer(NodeServices.layer)("a recording that is told shuffled, with events lost and doubled", (it) => {
  for (const [what, script] of Object.entries(stories)) {
    it.effect(
      `${what}: leads to the same end, and then to no write`,
      () =>
        Effect.gen(function* () {
          const { file, lines } = yield* record(script)
          for (const seed of seeds) {
            const { code, out } = yield* run(["decisions", "replay", file, ...flags, "--seed", String(seed)])
            assert.strictEqual(code, 0, out)
            const [, asTheyCame, inDisorder] =
              /^\d+ events in memory, (\d+) writes as they came, (\d+) in disorder: the same end, then no write\.$/.exec(
                lastOf(out)
              ) ?? []
            assert.isAtLeast(Number(asTheyCame), writesIn(lines) * 0.85, out)
            // What came and went before anybody heard of it is not missed.
            assert.isAtLeast(Number(inDisorder), writesIn(lines) * 0.5, out)
          }
        }),
      30_000
    )
  }

  it.effect("needs no more than the log, which has only what led to a write", () =>
    Effect.gen(function* () {
      const { lines } = yield* record({ given: twoNodes })
      const written = lines.filter((line) => !line.includes('"decided":0'))
      assert.isBelow(written.length, lines.length / 2)
      const stdin = written.join("\n")
      const { code, out } = yield* run(["decisions", "replay", "-", ...flags, "--seed", "1"], { stdin })
      assert.strictEqual(code, 0, out)
      assert.match(
        lastOf(out),
        /memory, [3-9]\d writes as they came, [3-9]\d in disorder: the same end, then no write\.$/
      )
    })
  )

  it.effect("says what becomes of a function that hears no sweep", () =>
    Effect.gen(function* () {
      const { code, out } = yield* replayWith(
        (definition) =>
          definition.name === "job-launcher"
            ? { ...definition, mapEvent: (event) => (isSweep(event) ? Effect.succeed([]) : definition.mapEvent(event)) }
            : definition,
        4
      )
      assert.strictEqual(code, 1, out)
      assert.match(out, /^-NixBuild apps\/podwatcher-\w+: Succeeded, ImagePulled$/m)
      assert.match(out, /^\+NixBuild apps\/podwatcher-\w+: Scheduled/m)
      assert.match(lastOf(out), /: not the same\.$/)
    })
  )

  it.effect("says what is written again and again, and by whom something is thrown", () =>
    Effect.gen(function* () {
      let count = 0
      const { code, out } = yield* replayWith(
        (definition) => ({
          ...definition,
          decide: (observed) => {
            if (definition.name === "scheduler") throw new Error("no slot")
            if (definition.name !== "pod-failure-detector") return definition.decide(observed)
            const metadata = { name: `again-${(count += 1)}`, namespace: "apps" }
            const object = { apiVersion: "v1", kind: "Event" as const, metadata }
            return [...definition.decide(observed), { action: "Create", why: "always", object }]
          }
        }),
        1
      )
      assert.strictEqual(code, 1)
      assert.include(out, "scheduler throws Error: no slot")
      assert.include(out, "after 200 sweeps there is still something to write")
      assert.match(out, /^create Event\/apps\/again-\d+: written although all was settled$/m)
    })
  )

  it.effect("needs what was observed", () =>
    Effect.gen(function* () {
      const { lines } = yield* record({ given: onePod })
      const without = lines.map((line) =>
        JSON.stringify({ ...JSON.parse(line), observed: "left out: 20000 characters" })
      )
      const { code, failure } = yield* run(["decisions", "replay", "-", ...flags], { stdin: without.join("\n") })
      assert.strictEqual(code, 2)
      assert.match(failure, /set DECISIONS_FILE/)
    })
  )
})
