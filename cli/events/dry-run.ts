/** What every function would do about an event now: observes and decides as they do, and writes nothing. */
import { Effect, Layer, Option } from "effect"
import type { Action } from "../../lib/runtime/action.ts"
import type { Reference } from "../../lib/kubernetes/kind.ts"
import { Cluster, getFrom, listFrom, writesOf } from "../../lib/kubernetes/cluster.ts"
import { type CloudEvent, matches } from "../../lib/runtime/events.ts"
import type { EnbiFunction } from "../../lib/runtime/function.ts"
import type { KubernetesApi } from "../../lib/kubernetes/connection.ts"
import { KubernetesError } from "../../lib/kubernetes/error.ts"

/** One function's decision about one object. */
export interface Decided {
  readonly function: string
  readonly subject: Reference
  readonly actions: ReadonlyArray<Action<string>>
}

/** All that would be decided on this event; nothing for what is gone or of no interest. */
export const decideOn = Effect.fnUntraced(function* (
  functions: ReadonlyArray<EnbiFunction<unknown>>,
  event: CloudEvent
) {
  const decided: Array<Decided> = []
  for (const definition of functions.filter(({ on }) => on.some((filter) => matches(filter, event)))) {
    for (const subject of yield* definition.mapEvent(event)) {
      const observed = yield* definition.observe(subject)
      if (Option.isNone(observed)) continue
      decided.push({ function: definition.name, subject, actions: definition.decide(observed.value) })
    }
  }
  return decided
})

/** The cluster to read from. It refuses writes itself, so that safety does not depend on `decideOn` alone. */
export const readOnly = (api: (typeof KubernetesApi)["Service"]) => {
  const [get, list] = [getFrom(api), listFrom(api)]
  const refuse = () =>
    Effect.fail(new KubernetesError({ status: 405, reason: "DryRun", message: "nothing is written" }))
  // The API server stores nothing of what it is asked to try only.
  const { dryRunCreate } = writesOf(api)
  return Layer.succeed(
    Cluster,
    Cluster.of({
      get,
      list,
      getFresh: get,
      listFresh: list,
      dryRunCreate,
      create: refuse,
      patch: refuse,
      remove: refuse
    })
  )
}
