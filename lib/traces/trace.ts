/**
 * Tells the trace of a decision that was carried out or failed: a span for the
 * decision in the trace of every NixBuild that it is about, and the phases
 * that its writes brought to an end. The event's own trace is another one,
 * since it began before anybody knew of a NixBuild; the decision has a link to it.
 */
import { Clock, DateTime, Effect, Option, Schema } from "effect"
import type { Action } from "../action.ts"
import { ObjectMeta } from "../api/kind.ts"
import type { NixBuild } from "../api/nixbuild.ts"
import type { Event } from "../cloudevents/event.ts"
import type { CloudEvent } from "../events.ts"
import type { EnbiFunction } from "../function.ts"
import type { Done } from "../interpret.ts"
import type { Outcome } from "../metrics.ts"
import { isIgnored } from "../server/arrived.ts"
import { spanOf } from "../server/traced.ts"
import { buildAttributes, rootIdOf, type Span, spanIdOf, spanOfPhase, traceIdOf } from "./span.ts"
import { Traces } from "./traces.ts"

/** A decision, how it ended, and when the look that led to it began. */
export interface Told<O> {
  readonly event: CloudEvent
  readonly observed: O
  readonly actions: ReadonlyArray<Action>
  readonly done: ReadonlyArray<Done>
  readonly outcome: Outcome
  readonly startMillis: number
}

export const trace = Effect.fnUntraced(
  function* <O>(definition: EnbiFunction<O>, told: Told<O>) {
    const exportSpans = yield* Traces
    if (exportSpans === undefined) return
    const endMillis = yield* Clock.currentTimeMillis
    const phases = definition.phases?.(told.observed, told.done) ?? []
    exportSpans([
      ...phases.map(spanOfPhase),
      ...buildsOf(told).map((build) => spanOfDecision(definition.name, { ...told, build, endMillis }))
    ])
  },
  Effect.catchDefect((defect) => Effect.logError("a mistake in a trace", defect))
)

/**
 * Tells the trace what an event shows, of a function that sees what no write of ours ends; `data` is what came with
 * it, only to stop before anything is read.
 */
export const makeWitness = ({ witnesses }: EnbiFunction<unknown>) => {
  if (witnesses === undefined) return () => Effect.void
  return Effect.fnUntraced(
    function* (event: CloudEvent, data?: Event["data"]) {
      const exportSpans = yield* Traces
      if (exportSpans === undefined || isIgnored(witnesses.ignores, event, data)) return
      exportSpans((yield* witnesses.phases(event)).map(spanOfPhase))
    },
    Effect.catchCause((cause) => Effect.logDebug("a trace lacks a span", cause))
  )
}

type Named = Pick<NixBuild, "metadata">

/** Those that were to be written or created, and those that were looked at. */
const buildsOf = ({ actions, done, observed }: Told<unknown>): ReadonlyArray<Named> => {
  const targets = actions.flatMap((action) =>
    action.action !== "Create" && action.target.kind === "NixBuild" ? [{ metadata: action.target }] : []
  )
  const created = done.flatMap(({ action, created }) =>
    action.action === "Create" && action.object.kind === "NixBuild" && created !== undefined
      ? [{ metadata: created }]
      : []
  )
  const looked = Option.match(decodeLooked(observed), {
    onNone: () => [],
    onSome: ({ build, builds = [] }) => [...(build === undefined ? [] : [build]), ...builds]
  })
  const builds = [...targets, ...created, ...looked]
  return [...new Map(builds.map((build) => [build.metadata.uid, build])).values()]
}

const Build = Schema.Struct({ metadata: ObjectMeta })
const decodeLooked = Schema.decodeUnknownOption(
  Schema.Struct({ build: Schema.optionalKey(Build), builds: Schema.optionalKey(Schema.Array(Build)) })
)

interface Decision extends Told<unknown> {
  readonly build: Named
  readonly endMillis: number
}

const spanOfDecision = (name: string, { build, endMillis, event, outcome, startMillis, ...told }: Decision): Span => {
  const { uid } = build.metadata
  const cause = event.traceparent === undefined ? Option.none() : spanOf(event.traceparent)
  return {
    traceId: traceIdOf(uid),
    spanId: spanIdOf(uid, name, event.source, event.id, String(startMillis), outcome),
    parentSpanId: rootIdOf(uid),
    name,
    kind: "consumer",
    startTime: isoOf(startMillis),
    endTime: isoOf(endMillis),
    attributes: {
      ...buildAttributes(build),
      "enbi.function": name,
      "enbi.outcome": outcome,
      "enbi.writes": told.done.length,
      "cloudevents.event_id": event.id,
      "cloudevents.event_source": event.source,
      "cloudevents.event_type": event.type
    },
    ...(outcome === "Done" ? {} : { error: outcome }),
    ...(Option.isSome(cause) ? { link: { traceId: cause.value.traceId, spanId: cause.value.spanId } } : {})
  }
}

const isoOf = (millis: number): string => DateTime.formatIso(DateTime.makeUnsafe(millis))
