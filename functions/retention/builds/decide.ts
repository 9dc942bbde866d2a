/** Finished NixBuilds that nobody waits for: beyond the limits of the history, or past their time. */
import { Schema } from "effect"
import { type Action, referTo } from "../../../lib/runtime/action.ts"
import { ObjectMeta } from "../../../lib/kubernetes/kind.ts"
import { isOurs } from "../../../lib/kubernetes/kinds.ts"
import { secondsAfter } from "../../../lib/kubernetes/time.ts"
import { nixBuilds } from "../../../lib/api/nixbuild.ts"

/** As much of a finished NixBuild as this looks at: there are many of them. */
export const FinishedBuild = Schema.Struct({
  metadata: ObjectMeta,
  hasFailed: Schema.Boolean,
  completeTime: Schema.String,
  ttlSecondsAfterFinished: Schema.optionalKey(Schema.Int),
  /** The nodes that are still to get the image. */
  pending: Schema.Array(Schema.String),
  /** The Pods that wait for it. */
  waiting: Schema.Array(Schema.String)
})
export type FinishedBuild = typeof FinishedBuild.Type

export const History = Schema.Struct({
  time: Schema.String,
  successfulBuildsHistoryLimit: Schema.Int,
  failedBuildsHistoryLimit: Schema.Int,
  /** All that are finished in the namespaces where there is one too many. */
  finished: Schema.Array(FinishedBuild)
})
export type History = typeof History.Type

export const removeBuilds = (history: History): ReadonlyArray<Action> => {
  const kept = keptOf(history)
  return history.finished
    .filter(({ pending, waiting }) => pending.length === 0 && waiting.length === 0)
    .flatMap((build): ReadonlyArray<Action> => {
      const why = superfluity(history, { build, isKept: kept.has(build) })
      // A uid would do for what a Pod asked for, since its Pod would ask again; but a person may
      // just have taken ttlSecondsAfterFinished back, or asked for a retry, and would lose the NixBuild.
      return why === undefined ? [] : [{ action: "Delete", why, target: referTo(nixBuilds, build), ifUnchanged: true }]
    })
}

const limitOf = (history: History, hasFailed: boolean): number =>
  hasFailed ? history.failedBuildsHistoryLimit : history.successfulBuildsHistoryLimit

/** The newest of each outcome in each namespace, among those that Pods asked for. */
const keptOf = (history: History): ReadonlySet<FinishedBuild> => {
  const ours = history.finished.filter(isOurs).map((build) => ({ build, rank: rank(build) }))
  const alike = Map.groupBy(ours, ({ build }) => `${build.metadata.namespace} ${build.hasFailed}`)
  return new Set(
    [...alike.values()].flatMap((all) =>
      all
        .toSorted((a, b) => (a.rank < b.rank ? 1 : -1))
        .slice(0, limitOf(history, all[0]?.build.hasFailed === true))
        .map(({ build }) => build)
    )
  )
}

const superfluity = (
  history: History,
  { build, isKept }: { readonly build: FinishedBuild; readonly isKept: boolean }
): string | undefined => {
  const { completeTime, hasFailed, ttlSecondsAfterFinished: ttl } = build
  if (ttl !== undefined && secondsAfter(completeTime, ttl, completeTime) <= history.time) {
    return `It was complete for ${ttl} s`
  }
  // What people wrote is theirs to remove.
  if (!isOurs(build) || isKept) return undefined
  return `The newest ${limitOf(history, hasFailed)} that ${hasFailed ? "failed" : "succeeded"} are kept`
}

const rank = ({ completeTime, metadata }: FinishedBuild): string => `${completeTime} ${metadata.uid}`
