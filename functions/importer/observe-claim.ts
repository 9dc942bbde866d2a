/**
 * The claim on a NixBuild's tag, past any cache, and whether its holder may
 * still bring an image that it is not held to.
 */
import { Effect, Option } from "effect"
import { isFailed, isSucceeded, type Job, jobs, leases } from "../../lib/kubernetes/kinds.ts"
import { attemptOn, type NixBuild, unsettledNodes } from "../../lib/api/nixbuild.ts"
import { importsUnder, podsOf } from "../../lib/nixbuild/object-questions.ts"
import { buildsIn } from "../../lib/nixbuild/questions.ts"
import { Cluster } from "../../lib/kubernetes/cluster.ts"
import { nixBuildAnnotation } from "../../lib/api/annotations.ts"
import { jobName, tagLeaseName } from "../../lib/api/names.ts"
import { systemNamespace } from "../../lib/kubernetes/system-namespace.ts"
import { holderOf, tagOf } from "../../lib/nixbuild/tag-claim.ts"
import { endedWell } from "../../lib/nixbuild/work.ts"
import { admitImport } from "./tag.ts"

export const observeClaim = Effect.fnUntraced(function* (build: NixBuild) {
  const cluster = yield* Cluster
  const at = { namespace: systemNamespace, name: tagLeaseName(tagOf(build)) }
  if (isRefused(build)) {
    const seen = yield* cluster.get(leases, at)
    // It waits, and asks again when the Lease changes.
    if (Option.exists(seen, (lease) => admitImport(build, { lease, isMoving: false }).conflict !== undefined)) {
      return { ...(Option.isSome(seen) ? { lease: seen.value } : {}), isMoving: false }
    }
  }
  const lease = yield* cluster.getFresh(leases, at)
  if (Option.isNone(lease)) return { isMoving: false }
  const holder = holderOf(lease.value)
  return {
    lease: lease.value,
    isMoving: holder === build.metadata.namespace ? false : yield* isMoving({ build, holder })
  }
})

/** Its status says so. */
const isRefused = ({ status }: NixBuild): boolean =>
  (status?.nodes ?? []).some(({ reason }) => reason === "TagConflict")

// The Lease was read before: whoever of the holder read it before it said who joins has a build Job that succeeded by
// now, or an import Job.
const isMoving = Effect.fnUntraced(function* ({
  build,
  holder
}: {
  readonly build: NixBuild
  readonly holder: string
}) {
  const cluster = yield* Cluster
  const { system } = build.spec
  const tag = tagOf(build)
  const builds = (yield* cluster.listFresh(buildsIn(holder))).filter(
    (other) => other.spec.system === system && tagOf(other) === tag
  )
  for (const other of builds) {
    for (const node of unsettledNodes(other)) {
      const attempt = { build: other.metadata, node, attempt: attemptOn(other, node) }
      const built = yield* cluster.getFresh(jobs, { namespace: holder, name: jobName("build", attempt) })
      if (Option.isSome(built) && (yield* hasBuilt(built.value))) return true
    }
  }
  // Of a NixBuild that is gone, too.
  const imports = yield* cluster.listFresh(importsUnder(tagLeaseName(tag)))
  return imports.some(
    (job) => job.metadata.annotations?.[nixBuildAnnotation]?.startsWith(`${holder}/`) === true && !isFailed(job)
  )
})

// Containers of others may outlive the build.
const hasBuilt = Effect.fnUntraced(function* (job: Job) {
  if (isSucceeded(job) || isFailed(job)) return isSucceeded(job)
  const cluster = yield* Cluster
  const [pod] = yield* cluster.listFresh(podsOf(job))
  return endedWell({ job, ...(pod === undefined ? {} : { pod }) })
})
