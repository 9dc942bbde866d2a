/** Follows the objects of a kind; if its CustomResourceDefinition is missing, waits for it. */
import { Effect, Schedule, Stream } from "effect"
import { type Kind, pathOf } from "../kubernetes/kind.ts"
import { queryOf } from "../kubernetes/cluster.ts"
import type { KubernetesApi } from "../kubernetes/connection.ts"
import type { KubernetesError } from "../kubernetes/error.ts"
import type { Read } from "../kubernetes/requests.ts"
import type { Change } from "../kubernetes/watch.ts"

const retryInterval = "10 seconds"

/** Until the definition is there, there are no objects: other kinds are not held up. */
export const followKind = <A>(
  api: Pick<(typeof KubernetesApi)["Service"], "follow">,
  kind: Kind,
  read: Read<A>
): Stream.Stream<Change<A>, KubernetesError> => {
  const changes = api.follow(pathOf(kind), queryOf(kind), read)
  if (kind.custom === undefined) return changes
  let isReported = false
  const none: Change<A> = { _tag: "Listed", items: [], resourceVersion: "0" }
  const report = Effect.suspend(() => {
    if (isReported) return Effect.void
    isReported = true
    return Effect.logWarning(
      `the cluster has no CustomResourceDefinition for ${kind.kind}: apply crds/; checking again every ${retryInterval}`
    )
  })
  const absent = Stream.fromEffectDrain(report).pipe(
    Stream.concat(Stream.succeed(none)),
    Stream.concat(Stream.fromEffectDrain(Effect.sleep(retryInterval)))
  )
  return changes.pipe(
    Stream.tap(() =>
      Effect.sync(() => {
        isReported = false
      })
    ),
    Stream.catchIf(
      (error) => error.isMissing,
      () => absent
    ),
    Stream.repeat(Schedule.forever)
  )
}
