/**
 * Delivers the events of a recording to today's functions, with the recorded
 * cluster in memory: once as they came, and once in disorder. Both must lead to
 * the same final state, and then to no write.
 */
import { Clock, ConfigProvider, Console, DateTime, Effect, Layer, Logger, Option, Schema, TextDiff } from "effect"
import { Cluster, live } from "../../lib/kubernetes/cluster.ts"
import { type CloudEvent, matches, sweepType } from "../../lib/runtime/events.ts"
import type { EnbiFunction } from "../../lib/runtime/function.ts"
import { isFields } from "../../lib/memory/objects.ts"
import { reconcile } from "../../lib/runtime/reconcile.ts"
import { Settings, SettingsSchema, type SettingsValue } from "../../lib/api/settings.ts"
import { type Disorder, disordered } from "./disorder.ts"
import { historiesOf, type ObjectHistory } from "./object-histories.ts"
import { finalStateOf } from "./final-state.ts"
import { makeRecordedCluster } from "./recorded-cluster.ts"
import type { Recording } from "../recordings/recording.ts"
import { BadAnswer, Trouble } from "../exit.ts"

interface Replay {
  readonly functions: ReadonlyArray<EnbiFunction<unknown>>
  readonly recordings: ReadonlyArray<Recording>
}

/** What is the same each time that it is played. */
interface Story extends Replay {
  readonly histories: ReadonlyArray<ObjectHistory>
  readonly settings: SettingsValue
}

/** Shows where the two ends differ, and what was written that should not have been. */
export const replayInMemory = Effect.fnUntraced(function* ({ functions, recordings: all }: Replay, disorder: Disorder) {
  const recordings = all.filter(({ record }) => typeof record.observed !== "string")
  if (recordings.length === 0) {
    return yield* new Trouble({
      message: "No decision contains what was observed: set DECISIONS_FILE, and record again."
    })
  }
  const events = [
    ...new Map(recordings.map(({ record: { event } }) => [`${event.source} ${event.id}`, event])).values()
  ]
  const histories = historiesOf(recordings, functions)
  const story = { functions, recordings, histories, settings: yield* settingsIn(recordings) }
  const before = yield* play(story, events)
  const after = yield* play(story, yield* disordered(events, disorder))
  const problems = [...new Set([...before.problems, ...after.problems])]
  if (before.finalState !== after.finalState) {
    const edits = TextDiff.lines(before.finalState, after.finalState, { maxEdits: 1000 })
    problems.push(TextDiff.unified(edits, { fromFile: "as they came", toFile: "in disorder" }))
  }
  const left = all.length - recordings.length
  const summary = [
    `${events.length} events in memory, ${before.writes} writes as they came, ${after.writes} in disorder`
  ]
  if (left > 0)
    summary.push(`${left} decisions were too long for the log, and are missing here (DECISIONS_FILE keeps all)`)
  for (const problem of problems) yield* Console.log(problem)
  yield* Console.log(
    `${summary.join("; ")}: ${problems.length === 0 ? "the same end, then no write." : "not the same."}`
  )
  if (problems.length > 0) return yield* new BadAnswer()
})

const sweep: CloudEvent = { specversion: "1.0", id: "sweep", source: "enbi", type: sweepType }

// Each brings a NixBuild a step further, and an attempt has no more than ten.
const maxSweeps = 200

const nanosPerMilli = 1_000_000n

const play = Effect.fnUntraced(function* (story: Story, events: ReadonlyArray<CloudEvent>) {
  const { histories, functions, recordings, settings } = story
  const { api, objects, advanceTo, duplicates, writes } = makeRecordedCluster(histories)
  const problems = new Set<string>()
  let timeMillis = 0
  const clock = yield* Clock.Clock

  const reach = Effect.fnUntraced(function* (moment: number) {
    const time = Option.fromNullishOr(recordings[moment]?.record.time).pipe(Option.flatMap(DateTime.make))
    timeMillis = Math.max(timeMillis, Option.match(time, { onNone: () => 0, onSome: DateTime.toEpochMillis }))
    yield* advanceTo(moment)
  })

  const reconcileAll = Effect.fnUntraced(function* (definition: EnbiFunction<unknown>, event: CloudEvent) {
    // A look that failed ends there; a later one does the rest.
    for (const subject of yield* definition.mapEvent(event)) yield* Effect.ignore(reconcile(definition, event, subject))
  })
  const deliver = Effect.fnUntraced(function* (event: CloudEvent) {
    for (const definition of functions.filter(({ on }) => on.some((filter) => matches(filter, event)))) {
      yield* Effect.ignore(reconcileAll(definition, event)).pipe(
        Effect.catchDefect((thrown) =>
          Effect.sync(() => void problems.add(`${definition.name} throws ${String(thrown)}`))
        )
      )
    }
  })

  const longestDelay = 1000 * Math.max(0, ...settings.retryDelaysSeconds)
  const sweepUntilQuiet = Effect.gen(function* () {
    for (let sweeps = 0, quiet = 0; quiet < 2; sweeps += 1) {
      if (sweeps === maxSweeps) {
        problems.add(`after ${maxSweeps} sweeps there is still something to write`)
        return
      }
      const { length } = objects.log
      yield* advanceTo(recordings.length)
      yield* deliver(sweep)
      quiet = objects.log.length === length ? quiet + 1 : 0
      // By then the next attempt of what may pass is due.
      if (quiet === 1) timeMillis += longestDelay
    }
  })

  return yield* Effect.gen(function* () {
    for (const [index, event] of events.entries()) {
      yield* reach(Math.floor((index / events.length) * recordings.length))
      yield* deliver(event)
    }
    yield* reach(recordings.length - 1)
    yield* sweepUntilQuiet
    const { length } = writes
    for (const event of events) yield* deliver(event)
    for (const write of writes.slice(length)) problems.add(`${write}: written although all was settled`)
    for (const job of duplicates()) problems.add(`${job} was made once more than then`)
    return { finalState: finalStateOf(objects.objects), writes: length, problems }
  }).pipe(
    Effect.provideService(Cluster, live(api)),
    Effect.provideService(Settings, settings),
    Effect.provideService(Clock.Clock, {
      currentTimeMillisUnsafe: () => timeMillis,
      currentTimeMillis: Effect.sync(() => timeMillis),
      currentTimeNanosUnsafe: () => BigInt(timeMillis) * nanosPerMilli,
      currentTimeNanos: Effect.sync(() => BigInt(timeMillis) * nanosPerMilli),
      monotonicTimeNanosUnsafe: () => clock.monotonicTimeNanosUnsafe(),
      monotonicTimeNanos: clock.monotonicTimeNanos,
      sleep: (duration) => clock.sleep(duration)
    }),
    Effect.provide(Logger.layer([]))
  )
})

/** The settings that the functions had then, as far as they were observed, and the defaults of the others. */
const settingsIn = Effect.fnUntraced(function* (recordings: ReadonlyArray<Recording>) {
  const seen = recordings.flatMap(({ record: { observed } }) =>
    isFields(observed) ? [observed, ...(isFields(observed["settings"]) ? [observed["settings"]] : [])] : []
  )
  const known = Object.keys(SettingsSchema.fields).flatMap((key) => {
    const value = seen.findLast((fields) => fields[key] !== undefined)?.[key]
    return value === undefined ? [] : [[key, value] as const]
  })
  const defaults = yield* defaultSettings
  return Option.getOrElse(readSettings({ ...defaults, ...Object.fromEntries(known) }), () => defaults)
})

const readSettings = Schema.decodeUnknownOption(SettingsSchema)

// What has no default must be said.
const required = ConfigProvider.fromUnknown({ BUILDER_IMAGE: "enbi-builder" })
const defaultSettings = Settings.pipe(
  Effect.provide(Settings.layer([]).pipe(Layer.provide(ConfigProvider.layer(required)))),
  Effect.orDie
)
