/** Leases of image tags that a namespace does not use any more, or that are marked so. */
import { Effect } from "effect"
import { type Lease, leases, type Pod } from "../../../lib/kubernetes/kinds.ts"
import { hasFailed, type NixBuild, unsettledNodes } from "../../../lib/api/nixbuild.ts"
import { podsIn } from "../../../lib/nixbuild/object-questions.ts"
import { all } from "../../../lib/kubernetes/question.ts"
import { Cluster } from "../../../lib/kubernetes/cluster.ts"
import { unusedSinceAnnotation } from "../../../lib/api/annotations.ts"
import { once } from "../../../lib/once.ts"
import { fullTag, heldTagOf, joiningOf, tagOf, usersOf } from "../../../lib/nixbuild/tag-claim.ts"
import { containersOf } from "../../../lib/nixbuild/waiting-pods.ts"
import { type HeldTag, isRelease, releaseTag, reportOf, reportsOf } from "./decide.ts"
import { mapInTurns } from "../../../lib/turns.ts"
import { type Look, lookPast, orNothing } from "../look.ts"

export const observeTags = Effect.fnUntraced(function* (look: Look, time: string) {
  const cluster = yield* Cluster
  const acting = yield* lookAtTags(look, { among: yield* cluster.list(all(leases)), time })
  const due = acting.filter((tag) => isRelease(tag, time))
  // A mark does no harm, but what is released could be another's in the next moment.
  const past = yield* lookPast
  const among = due.map(({ lease }) => lease)
  const confirmed = among.length === 0 ? [] : yield* orNothing(lookAtTags(past, { among, time }))
  return [...acting.filter((tag) => !isRelease(tag, time)), ...confirmed]
})

interface Among {
  readonly among: ReadonlyArray<Lease>
  readonly time: string
}

/** Those that something is to be done about. */
const lookAtTags = Effect.fnUntraced(function* (look: Look, { among, time }: Among) {
  const named = yield* mapInTurns(yield* look.builds, (build) => ({
    build,
    use: useOf(build.metadata.namespace, tagOf(build))
  }))
  const builds = Map.groupBy(named, ({ use }) => use)
  const buildsOf = (lease: Lease, namespace: string) => builds.get(useOf(namespace, heldTagOf(lease))) ?? []
  const seen = yield* mapInTurns(among, (lease) => ({
    lease,
    idle: usersOf(lease).filter((namespace) => buildsOf(lease, namespace).length === 0)
  }))
  const open = seen.filter(
    ({ idle, lease }) =>
      idle.length > 0 ||
      joiningOf(lease).length > 0 ||
      lease.metadata.annotations?.[unusedSinceAnnotation] !== undefined
  )
  if (open.length === 0) return []
  const reports = yield* mapInTurns(yield* look.nodes, reportOf)
  const reported = reportsOf(reports, new Set(open.map(({ lease }) => heldTagOf(lease))))
  const there = new Set(reports.map(({ node }) => node))
  const found = open
    .map(({ idle, lease }): HeldTag => ({
      lease,
      idle,
      refused: joiningOf(lease).filter(
        (namespace) => !buildsOf(lease, namespace).some(({ build }) => mayImport(build, there))
      ),
      ...reported(heldTagOf(lease))
    }))
    .filter((tag) => releaseTag(tag, time).length > 0)
  return (yield* withoutUsed(look, found)).filter((tag) => releaseTag(tag, time).length > 0)
})

/** Without the namespaces that have a Pod of the image; only theirs are asked for, since there are many. */
const withoutUsed = Effect.fnUntraced(function* (look: Look, tags: ReadonlyArray<HeldTag>) {
  const namespaces = new Set(tags.flatMap(({ idle }) => idle))
  const there = yield* Effect.forEach(namespaces, (namespace) => look.list(podsIn(namespace)))
  const used = new Set(
    there.flat().flatMap((pod) => imagesOf(pod).map((image) => useOf(pod.metadata.namespace, image)))
  )
  return tags.map((tag) => ({
    ...tag,
    idle: tag.idle.filter((namespace) => !used.has(useOf(namespace, heldTagOf(tag.lease))))
  }))
})

const useOf = (namespace: string | undefined, tag: string): string => `${namespace} ${tag}`

const imagesOf = once((pod: Pod) => containersOf(pod).map(({ image = "" }) => fullTag(image)))

const mayImport = (build: NixBuild, there: ReadonlySet<string>): boolean =>
  !hasFailed(build) && unsettledNodes(build).some((name) => there.has(name))
