/** From an event about a NixBuild, about a Job or Pod of one, or about the Lease of its tag, to the NixBuild. */
import { Effect, Option } from "effect"
import { isTrue } from "./api/condition.ts"
import type { ObjectMeta, Reference } from "./api/kind.ts"
import { jobs, pods } from "./api/kubernetes.ts"
import { conditionsOf, type NixBuild } from "./api/nixbuild.ts"
import { openBuilds, openBuildsIn } from "./api/nixbuild-questions.ts"
import { Cluster } from "./cluster.ts"
import type { CloudEvent } from "./events.ts"
import { ignore } from "./function.ts"
import { namespaceAnnotation, nixBuildAnnotation } from "./keys.ts"
import { tagLeaseName } from "./names.ts"
import { tagOf } from "./tags.ts"

/** Jobs that are for no NixBuild. */
export const jobsOfOthers = ignore(jobs, ({ metadata: { annotations } }) => {
  return annotations?.[nixBuildAnnotation] === undefined && annotations?.[namespaceAnnotation] === undefined
})

/** Pods that are of no NixBuild's Job. */
export const podsOfOthers = ignore(pods, ({ metadata }) => metadata.annotations?.[nixBuildAnnotation] === undefined)

const referTo = ({ name, namespace }: { readonly name: string; readonly namespace: string }): Reference => ({
  kind: "NixBuild",
  namespace,
  name
})

/** The NixBuild that an event is about; for a sweep, all that are open and for which `needsLook` says that there may be work. */
export const subjectsAmong = (needsLook: (build: NixBuild) => boolean) =>
  Effect.fnUntraced(function* (event: CloudEvent) {
    const cluster = yield* Cluster
    const { kind, name = "", namespace = "" } = event
    if (kind === "NixBuild") return [referTo({ name, namespace })]
    if (kind === "Job" || kind === "Pod") {
      const found =
        kind === "Job" ? yield* cluster.get(jobs, { name, namespace }) : yield* cluster.get(pods, { name, namespace })
      const annotations = Option.match(found, {
        onNone: () => undefined,
        onSome: ({ metadata }: { readonly metadata: ObjectMeta }) => metadata.annotations
      })
      const [buildNamespace, buildName] = annotations?.[nixBuildAnnotation]?.split("/") ?? []
      if (buildNamespace !== undefined && buildName !== undefined) {
        return [referTo({ name: buildName, namespace: buildNamespace })]
      }
      // The Job of a volume is for all that wait for it.
      const sharing = annotations?.[namespaceAnnotation]
      return kind === "Pod" || sharing === undefined ? [] : yield* openAmong(needsLook, sharing)
    }
    if (kind === "Lease") {
      // Before its Job is there, a build does not depend on the tag.
      return yield* openAmong(
        (build) => needsLook(build) && isTrue(conditionsOf(build), "Launched") && tagLeaseName(tagOf(build)) === name
      )
    }
    return yield* openAmong(needsLook)
  })

const openAmong = Effect.fnUntraced(function* (needsLook: (build: NixBuild) => boolean, namespace?: string) {
  const cluster = yield* Cluster
  const builds = yield* cluster.list(namespace === undefined ? openBuilds() : openBuildsIn(namespace))
  return builds.filter(needsLook).map(referToBuild)
})

export const referToBuild = ({ metadata: { name, namespace = "" } }: NixBuild): Reference =>
  referTo({ name, namespace })
