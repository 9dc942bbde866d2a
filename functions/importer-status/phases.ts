/**
 * Builds and imports end when their outcome is told, each with the times of
 * its Job; a NixBuild's way ends when it is `Complete`.
 */
import { isTrue, type Reason } from "../../lib/api/condition.ts"
import { isSucceeded } from "../../lib/api/kubernetes.ts"
import { attemptOn, conditionsOf, nodeStatusOf, unsettledNodes } from "../../lib/api/nixbuild.ts"
import type { Done } from "../../lib/interpret.ts"
import { conditionIn, type StatusWrite, statusWritesOf } from "../../lib/traces/conditions.ts"
import type { Phase } from "../../lib/traces/span.ts"
import type { Work } from "../../lib/work.ts"
import type { Observed, Place } from "./observe.ts"

type World = typeof Observed.Type

export const phases = (world: World, done: ReadonlyArray<Done>): ReadonlyArray<Phase> =>
  statusWritesOf(done).flatMap((write) => [
    ...world.places.flatMap((place) => phasesAt(world, { place, write })),
    ...wholeWay(write)
  ])

const phasesAt = (
  { time }: World,
  { place, write }: { readonly place: Place; readonly write: StatusWrite }
): ReadonlyArray<Phase> => {
  const { became, before } = write
  const { build, import: imported, name } = place
  const settled = settledAt(write, name)
  const isMain = name === before.status?.buildNode
  const wasBuilt = isMain && isTrue(conditionsOf(before), "Success")
  const isBuilt = isMain && became("Success")?.status === "True"
  const attempt = attemptOn(before, name)
  const phaseOf = (step: "build" | "import", { job }: Work): Phase => {
    const to = endOf(job) ?? time
    const error = isSucceeded(job) ? undefined : settled?.reason
    return {
      name: step,
      build: before,
      key: [name, String(attempt)],
      from: job.metadata.creationTimestamp ?? to,
      to,
      attributes: {
        "k8s.node.name": name,
        "k8s.job.name": job.metadata.name,
        "k8s.job.uid": job.metadata.uid,
        "enbi.attempt": attempt
      },
      ...(error === undefined ? {} : { error })
    }
  }
  return [
    ...(build !== undefined && !wasBuilt && (isBuilt || settled !== undefined) ? [phaseOf("build", build)] : []),
    ...(imported !== undefined && settled !== undefined ? [phaseOf("import", imported)] : [])
  ]
}

/** What this write says of the attempt on a node that was still open, if it says how that ended. */
const settledAt = ({ before, written }: StatusWrite, name: string): { readonly reason: Reason } | undefined => {
  const [known, now] = [nodeStatusOf(before, name), written.nodes?.find((node) => node.name === name)]
  const isNews = now?.attempt !== known?.attempt || now?.reason !== known?.reason || now?.retryTime !== known?.retryTime
  return isNews && unsettledNodes(before).includes(name) ? now : undefined
}

const endOf = (job: Work["job"]): string | undefined =>
  job.status?.conditions?.find(({ status, type }) => (type === "Complete" || type === "Failed") && status === "True")
    ?.lastTransitionTime ?? undefined

/** Whoever asks for another try at the end begins another way. */
const wholeWay = ({ became, before, written }: StatusWrite): ReadonlyArray<Phase> => {
  const complete = became("Complete")
  if (complete?.status !== "True") return []
  const to = complete.lastTransitionTime
  const asked = conditionIn(conditionsOf(before), "Complete")
  const stalled = conditionIn(written.conditions, "Stalled")
  return [
    {
      name: "nixbuild",
      build: before,
      key: asked === undefined ? [] : [asked.lastTransitionTime],
      from: asked?.lastTransitionTime ?? before.metadata.creationTimestamp ?? to,
      to,
      attributes: { "k8s.node.name": before.status?.buildNode, "enbi.attempt": before.status?.attempt ?? 1 },
      ...(stalled?.status === "True" ? { error: stalled.reason } : {})
    }
  ]
}
