/**
 * What our container says of itself when it has ended, whatever else still runs
 * in its Pod, or what can be said for one that ended without a word.
 */
import { Option, Schema } from "effect"
import { type Reason, reasons } from "../../lib/api/reasons.ts"
import type { Pod } from "../../lib/kubernetes/kinds.ts"
import type { Failure } from "../../lib/api/nixbuild.ts"
import { lastLines } from "../../lib/last-lines.ts"
import {
  BuildResult,
  type BuildSucceeded,
  ImportResult,
  type ImportSucceeded,
  type JobFailed
} from "../../lib/nixbuild/job-result.ts"
import { hasNeverRun, isFinished, isOver, terminatedOf, type Work } from "../../lib/nixbuild/work.ts"

/** Nothing while our container runs, or until it has been seen to end. */
export type Outcome<A> =
  | { readonly _tag: "Open" }
  | { readonly _tag: "Succeeded"; readonly result: A }
  | { readonly _tag: "Failed"; readonly failure: Failure }

const open = { _tag: "Open" } as const

export const buildOutcome = (work: Work | undefined): Outcome<typeof BuildSucceeded.Type> =>
  outcomeOf<typeof BuildSucceeded.Type>(work, {
    parse: (message) => Option.filter(decodeBuild(message), isEnd),
    fallback: "BuildFailed"
  })

const decodeBuild = Schema.decodeUnknownOption(Schema.fromJsonString(BuildResult))
const isEnd = (result: BuildResult): result is Exclude<BuildResult, { readonly outcome: "Locked" }> =>
  result.outcome !== "Locked"

/** `fallback`: why it failed, if it does not say so itself. */
export const importOutcome = (
  work: Work | undefined,
  fallback: "ImportFailed" | "PublishFailed"
): Outcome<typeof ImportSucceeded.Type> =>
  outcomeOf<typeof ImportSucceeded.Type>(work, {
    parse: Schema.decodeUnknownOption(Schema.fromJsonString(ImportResult)),
    fallback
  })

interface Success {
  readonly outcome: "Succeeded"
}

interface Reading<A> {
  readonly parse: (message: unknown) => Option.Option<A | typeof JobFailed.Type>
  readonly fallback: Reason
}

const outcomeOf = <A extends Success>(work: Work | undefined, { fallback, parse }: Reading<A>): Outcome<A> => {
  if (work === undefined) return open
  const terminated = terminatedOf(work.pod)
  // Job and Pod come by different watches: the Pod's end may still be on its way.
  if (terminated === undefined && !(isFinished(work) && (work.pod === undefined || isOver(work.pod)))) return open
  // What never ran has not failed: `waiting.ts` tells of it.
  if (work.pod !== undefined && hasNeverRun(work.pod)) return open
  const said = Option.getOrUndefined(parse(terminated?.message))
  if (said?.outcome === "Succeeded" && terminated?.exitCode === 0) return { _tag: "Succeeded", result: said }
  const log = said?.outcome === "Failed" && said.log !== "" ? { log: lastLines(said.log, maxLog) } : {}
  const name = work.job.metadata.name
  const isBuild = fallback === "BuildFailed"
  // With cgroup v2 all of the container is killed and says nothing; with v1 perhaps only a compiler, and Nix tells of a
  // builder that got signal 9.
  if (terminated?.reason === "OOMKilled") {
    return failed(
      isBuild
        ? { reason: "OutOfMemory", message: reasons.OutOfMemory, ...log }
        : { reason: fallback, message: `Job ${name} ran out of memory: make room on the node.`, ...log }
    )
  }
  if (said?.outcome === "Failed") return failed({ reason: said.reason, message: said.message, ...log })
  // Only Jobs of an earlier version have a deadline; Kubernetes deletes the Pod, which says nothing more.
  const isLate = work.job.status?.conditions?.some(({ reason }) => reason === "DeadlineExceeded") === true
  if (isBuild && isLate) return failed({ reason: "TimedOut", message: reasons.TimedOut })
  return failed({
    reason: interruptionOf(work.pod) ?? fallback,
    message: `Job ${name} ended without a result: ${endOf(work.pod)}.`
  })
}

/**
 * Who ended a Pod that said nothing:
 *
 * | Pod                                    | reason      |
 * |----------------------------------------|-------------|
 * | gone                                   | Interrupted |
 * | Failed, with kubelet's reason for it   | Evicted     |
 * | container ended by a signal, or unknown | Interrupted |
 * | container ended by itself              | none        |
 */
const interruptionOf = (pod: Pod | undefined): Reason | undefined => {
  if (pod === undefined) return "Interrupted"
  if (pod.status?.phase === "Failed" && pod.status.reason !== undefined) return "Evicted"
  const terminated = terminatedOf(pod)
  // 128 and the signal's number; 255 is containerd's for a container that it lost.
  return terminated === undefined || terminated.exitCode > 128 ? "Interrupted" : undefined
}

const endOf = (pod: Pod | undefined): string => {
  if (pod === undefined) return "its Pod is gone"
  const terminated = terminatedOf(pod)
  if (terminated !== undefined) {
    return `its container ended with exit code ${terminated.exitCode}${terminated.reason === undefined ? "" : ` (${terminated.reason})`}`
  }
  return `its Pod was ended: ${(pod.status?.message ?? pod.status?.reason ?? "nobody says why").replace(/\.\s*$/, "")}`
}

// Half of what a termination message holds; the rest is in the kept Pod's log.
const maxLog = 2048

const failed = (failure: Failure) => ({ _tag: "Failed", failure }) as const
