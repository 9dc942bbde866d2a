/** The observers of the functions: metrics of NixBuilds, and traces if they are enabled. */
import { Clock, Effect, Layer } from "effect"
import { isIgnored } from "../runtime/predicate.ts"
import { type Observer, Observers } from "../runtime/observers.ts"
import { spansOfDecision } from "./decisions.ts"
import { statusWritesOf } from "./nixbuild-changes.ts"
import { observationsOf, record } from "./nixbuild-metrics.ts"
import { phasesOf } from "./nixbuild-spans.ts"
import { notStarted, phasesOfStart } from "./pod-starts.ts"
import { spanOfPhase } from "./span.ts"
import { Traces } from "./traces.ts"

const measured: Observer = {
  onRun: (run) => Effect.forEach(statusWritesOf(run).flatMap(observationsOf), record, { discard: true })
}

// One function sees Pods start, or each span would come twice: this one gets the events of all Pods.
const seesPods = "importer-status"

const traced: Observer = {
  onRun: Effect.fnUntraced(
    function* (run) {
      const exportSpans = yield* Traces
      if (exportSpans === undefined) return
      const endMillis = yield* Clock.currentTimeMillis
      exportSpans([...phasesOf(run).map(spanOfPhase), ...spansOfDecision(run, endMillis)])
    },
    Effect.catchDefect((defect) => Effect.logError("a mistake in a trace", defect))
  ),
  onEvent: Effect.fnUntraced(
    function* ({ data, event, function: name }) {
      const exportSpans = yield* Traces
      if (exportSpans === undefined || name !== seesPods || isIgnored(notStarted, event, data)) return
      exportSpans((yield* phasesOfStart(event)).map(spanOfPhase))
    },
    Effect.catchCause((cause) => Effect.logDebug("a trace lacks a span", cause))
  )
}

export const layer = Layer.succeed(Observers, [measured, traced])
