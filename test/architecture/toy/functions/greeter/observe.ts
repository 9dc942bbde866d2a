/** What a greeting needs: itself. */
import { Effect, Option, Schema } from "effect"
import type { Reference } from "../../../../../lib/kubernetes/kind.ts"
import { all } from "../../../../../lib/kubernetes/question.ts"
import { Cluster } from "../../../../../lib/kubernetes/cluster.ts"
import type { CloudEvent } from "../../../../../lib/runtime/events.ts"
import { currentTime } from "../../../../../lib/kubernetes/time.ts"
import { Greeting, greetings } from "../../api/greeting.ts"

export const Observed = Schema.Struct({ greeting: Greeting, time: Schema.String })

const referTo = ({ name, namespace = "" }: { readonly name: string; readonly namespace?: string }): Reference => ({
  kind: greetings.kind,
  namespace,
  name
})

export const mapEvent = Effect.fn("greeter.mapEvent")(function* ({ kind, name = "", namespace }: CloudEvent) {
  if (kind === greetings.kind) return [referTo({ name, ...(namespace === undefined ? {} : { namespace }) })]
  const cluster = yield* Cluster
  return (yield* cluster.list(all(greetings))).map(({ metadata }) => referTo(metadata))
})

export const observe = Effect.fn("greeter.observe")(function* (subject: Reference) {
  const cluster = yield* Cluster
  const time = yield* currentTime
  return Option.map(yield* cluster.get(greetings, subject), (greeting) => ({ greeting, time }))
})
