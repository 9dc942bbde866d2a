/**
 * The stand-in for Knative's Broker as a process: `node test/knative/broker.ts`.
 * POST to `/<namespace>/<broker>`; Triggers and Brokers are those of `eventing/`.
 *
 * Environment: that of `process.ts`, and `TRACING=true` when Knative's tracing
 * is on. Ends with code 2, saying `panic`, when Knative's dispatcher would die.
 */
import { Config, Effect } from "effect"
import { makeBroker } from "./make-broker.ts"
import { announce, manifestsOf, runProcess } from "./process.ts"

runProcess(
  Effect.fnUntraced(function* (settings) {
    const isTracing = yield* Config.Boolean("TRACING").pipe(Config.withDefault(false))
    const manifests = yield* manifestsOf(settings)
    const { panicked, url } = yield* makeBroker({ manifests, port: settings.port, isTracing })
    yield* announce(url)
    return yield* panicked
  })
)
