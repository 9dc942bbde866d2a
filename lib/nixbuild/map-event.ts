/** Maps an event about a NixBuild, one of its Jobs or Pods, or the Lease of its tag to the NixBuild. */
import { Effect, Option, Schema } from "effect"
import { isTrue } from "../kubernetes/condition.ts"
import { type Identified, ObjectMeta, type Reference } from "../kubernetes/kind.ts"
import { isFailed, isSucceeded, type Job, jobs, leases, pods } from "../kubernetes/kinds.ts"
import { conditionsOf, type NixBuild } from "../api/nixbuild.ts"
import { openBuilds, openBuildsIn } from "./questions.ts"
import { Cluster } from "../kubernetes/cluster.ts"
import { type CloudEvent, isAddition, isDeletion } from "../runtime/events.ts"
import { ignoreIf } from "../runtime/predicate.ts"
import { namespaceAnnotation } from "../api/annotations.ts"
import { tagLeaseName } from "../api/names.ts"
import { ofNixBuild } from "./job.ts"
import { tagOf } from "./tag-claim.ts"

/** Whether it has ended. While it runs, its Pod's events say more; if they stop, the sweep notices. */
export const hasEnded = (job: Job): boolean => isSucceeded(job) || isFailed(job)

/** A new claim does not help any build that waits for a tag. */
export const newClaims = ignoreIf(leases, (_, event) => isAddition(event))

/** Pods that are of no NixBuild's Job. */
export const podsOfOthers = ignoreIf(pods, ({ metadata }) => ofNixBuild.ownerOf(metadata) === undefined)

const referTo = ({ name, namespace }: { readonly name: string; readonly namespace: string }): Reference => ({
  kind: "NixBuild",
  namespace,
  name
})

/** The NixBuild that an event is about; for a sweep, all open ones that `isRelevant` accepts. */
export const mapToOpenBuilds = (isRelevant: (build: NixBuild) => boolean) =>
  Effect.fnUntraced(function* (event: CloudEvent, object?: unknown) {
    const { kind, name = "", namespace = "" } = event
    if (kind === "NixBuild") return [referTo({ name, namespace })]
    if (kind === "Job" || kind === "Pod") {
      // A Job's result is recorded while the Job exists.
      if (isDeletion(event)) return []
      const { annotations } = yield* metadataOf(event, object)
      const owner = ofNixBuild.ownerOf({ annotations })
      if (owner !== undefined) return [owner]
      // The Job of a volume is for all that wait for it.
      const sharing = annotations?.[namespaceAnnotation]
      return kind === "Pod" || sharing === undefined ? [] : yield* openAmong(isRelevant, sharing)
    }
    if (kind === "Lease") {
      // Before its Job is there, a build does not depend on the tag.
      return yield* openAmong(
        (build) => isRelevant(build) && isTrue(conditionsOf(build), "Launched") && tagLeaseName(tagOf(build)) === name
      )
    }
    return yield* openAmong(isRelevant)
  })

const metadataOf = Effect.fnUntraced(function* ({ kind, name = "", namespace }: CloudEvent, object: unknown) {
  const told = readMetadata(object)
  if (Option.isSome(told)) return told.value.metadata
  const cluster = yield* Cluster
  const there = yield* cluster.get<Identified>(kind === "Job" ? jobs : pods, { name, namespace })
  return Option.match(there, { onNone: (): Partial<ObjectMeta> => ({}), onSome: ({ metadata }) => metadata })
})

const readMetadata = Schema.decodeUnknownOption(Schema.Struct({ metadata: ObjectMeta }))

const openAmong = Effect.fnUntraced(function* (needsLook: (build: NixBuild) => boolean, namespace?: string) {
  const cluster = yield* Cluster
  const builds = yield* cluster.list(namespace === undefined ? openBuilds() : openBuildsIn(namespace))
  return builds.filter(needsLook).map(referToBuild)
})

export const referToBuild = ({ metadata: { name, namespace = "" } }: NixBuild): Reference =>
  referTo({ name, namespace })
