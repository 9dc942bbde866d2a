/** Follows a NixBuild, with the log of each of its build Jobs, until it has ended or waits for a person. */
import { Console, Effect, FiberSet, Option, type Result, Stream } from "effect"
import type { Condition } from "../../lib/api/nixbuild-condition.ts"
import { isObstacle } from "../../lib/api/reasons.ts"
import { isTrue } from "../../lib/kubernetes/condition.ts"
import { type Identified, type Kind, pathOf } from "../../lib/kubernetes/kind.ts"
import { pods } from "../../lib/kubernetes/kinds.ts"
import { conditionsOf, type NixBuild, nixBuilds } from "../../lib/api/nixbuild.ts"
import { reading } from "../../lib/kubernetes/cluster.ts"
import { retryAnnotation } from "../../lib/api/annotations.ts"
import type { KubernetesApi } from "../../lib/kubernetes/connection.ts"
import type { KubernetesError } from "../../lib/kubernetes/error.ts"
import type { Query } from "../../lib/kubernetes/requests.ts"
import type { Change } from "../../lib/kubernetes/watch.ts"
import { Kubernetes } from "../kubernetes.ts"
import { firstContainerOf } from "./pod-logs.ts"
import { isStepLine } from "../../lib/nixbuild/build-steps.ts"
import { newsIn } from "./progress.ts"
import { Trouble } from "../exit.ts"

type Api = (typeof KubernetesApi)["Service"]

export interface Followed {
  readonly namespace: string
  readonly name: string
  /** All of the log, not only the builder's own steps. */
  readonly isVerbose: boolean
  /** What is known already: neither it nor the log of its Job is printed. */
  readonly before: NixBuild | undefined
  /** It may not be there yet; then what is printed begins with this. */
  readonly awaited?: { readonly prefix: string }
}

const print = (line: string, { awaited }: Followed) => Console.log(`${awaited?.prefix ?? ""}${line}`)

/** The NixBuild as it was then. */
export const followBuild = Effect.fnUntraced(function* (api: Api, followed: Followed) {
  const logs = yield* FiberSet.make()
  const shown = new Set([followed.before?.status?.buildJobName])
  let { before } = followed
  const last = yield* versionsOf(api, nixBuilds, {
    namespace: followed.namespace,
    isThere: followed.awaited === undefined,
    query: { fieldSelector: `metadata.name=${followed.name}` }
  }).pipe(
    Stream.tap((build) =>
      Effect.gen(function* () {
        yield* Effect.forEach(newsIn(build, before), (news) => print(news, followed), { discard: true })
        before = build
        const job = build.status?.buildJobName
        if (job === undefined || shown.has(job)) return
        shown.add(job)
        yield* FiberSet.run(logs, showLog(api, followed, job))
      })
    ),
    Stream.filter((build) => isOver(build) || obstacleIn(build) !== undefined),
    Stream.runHead
  )
  // What the builder said last may still be on its way.
  yield* Effect.ignore(Effect.timeout(FiberSet.awaitEmpty(logs), "5 seconds"))
  return Option.isSome(last) ? last.value : yield* new Trouble({ message: "The API server ended the watch." })
}, Effect.scoped)

/** Nothing is under way any more, and no other attempt was requested. */
export const isOver = (build: NixBuild): boolean =>
  isTrue(conditionsOf(build), "Complete") &&
  build.metadata.annotations?.[retryAnnotation] === build.status?.handledRetry

/** What a person has to change before it goes on. */
export const obstacleIn = (build: NixBuild): Condition | undefined =>
  conditionsOf(build).find(({ reason, status }) => status === "False" && isObstacle(reason))

interface Watched {
  readonly namespace: string
  readonly query: Query
  /** If there is none, it was deleted. */
  readonly isThere: boolean
}

/** An object as it is now, and as it becomes. */
export const versionsOf = <A extends Identified>(api: Api, kind: Kind<A>, { isThere, namespace, query }: Watched) => {
  const versions = (
    change: Change<Result.Result<A, KubernetesError>>
  ): Effect.Effect<ReadonlyArray<A>, KubernetesError | Trouble> =>
    change._tag === "DELETED" || (isThere && change._tag === "Listed" && change.items.length === 0)
      ? Effect.fail(new Trouble({ message: `The ${kind.kind} was deleted.` }))
      : Effect.forEach(change._tag === "Listed" ? change.items : [change.object], (object) => Effect.fromResult(object))
  return api
    .follow(pathOf(kind, { namespace }), query, reading(kind))
    .pipe(Stream.mapEffect(versions), Stream.flattenIterable)
}

/** From when its container runs to its end. That a log can't be read does not stop the build. */
const showLog = Effect.fnUntraced(
  function* (api: Api, followed: Followed, job: string) {
    const { isVerbose, namespace } = followed
    const { connected } = yield* Kubernetes
    const { log } = yield* connected
    const query = { labelSelector: `batch.kubernetes.io/job-name=${job}` }
    const started = yield* versionsOf(api, pods, { namespace, query, isThere: false }).pipe(
      Stream.filter(({ status }) =>
        (status?.containerStatuses ?? []).some(
          ({ state }) => state?.running !== undefined || state?.terminated !== undefined
        )
      ),
      Stream.runHead
    )
    if (Option.isNone(started)) return
    yield* log({ pod: started.value, container: firstContainerOf(started.value), follow: true }).pipe(
      Stream.runForEach((line) => (isVerbose || isStepLine(line) ? print(line, followed) : Effect.void))
    )
  },
  Effect.catch(({ message }) => Console.error(`The build's log cannot be shown: ${message}`))
)
