/** What must be so after each change of any object. */
import { Schema } from "effect"
import { isTrue } from "../../lib/kubernetes/condition.ts"
import { conditionsOf, type NixBuild, nixBuilds, wantedNodes } from "../../lib/api/nixbuild.ts"
import { leases, managedBy } from "../../lib/kubernetes/kinds.ts"
import { nixBuildUidLabel, wokenAnnotation } from "../../lib/api/annotations.ts"
import { isForRegistry } from "../../lib/nixbuild/delivery.ts"
import { digestsOf, usersOf as namespacesOf } from "../../lib/nixbuild/tag-claim.ts"
import { readJob } from "./job.ts"
import { kstatusOf, type Word } from "./kstatus.ts"
import { isFields, type Logged, type Stored } from "../../lib/memory/objects.ts"

export interface ObservedChange extends Logged {
  readonly objects: ReadonlyMap<string, Stored>
  /** By `node image`, the digest of what is in a node's containerd; by `registry uid`, of what its NixBuild published. */
  readonly images: ReadonlyMap<string, string>
}

type Check = (observed: ObservedChange) => string | undefined

const decode = Schema.decodeUnknownSync(nixBuilds.schema)
const decodeBuild = (stored: Stored): NixBuild => decode(stored)

/** A change of one NixBuild: what it is now, and what it was when it was the same object. */
const aboutBuild =
  (check: (now: NixBuild, before: NixBuild | undefined, observed: ObservedChange) => string | undefined): Check =>
  (observed) =>
    observed.object.kind !== "NixBuild" || observed.verb === "DELETED"
      ? undefined
      : check(
          decodeBuild(observed.object),
          observed.before === undefined ? undefined : decodeBuild(observed.before),
          observed
        )

const ofKind = (objects: ReadonlyMap<string, Stored>, kind: string): ReadonlyArray<Stored> =>
  [...objects.values()].filter((object) => object.kind === kind)

const liveJobs = ({ objects }: ObservedChange) =>
  ofKind(objects, "Job")
    .filter(({ metadata }) => metadata.labels?.["app.kubernetes.io/managed-by"] === managedByUs)
    .map((job) => ({ name: job.metadata.name, ...readJob(job) }))
    .filter((job) => job.isLive && !["volume", "removal", "pull"].includes(job.step))

const managedByUs = managedBy["app.kubernetes.io/managed-by"]

export const checks = {
  "one live Job for a NixBuild, a node and a step": (observed) => {
    if (observed.object.kind !== "Job" || observed.verb !== "ADDED") return undefined
    const jobs = liveJobs(observed)
    const twins = jobs.filter((job) =>
      jobs.some((other) => other !== job && other.uid === job.uid && other.node === job.node && other.step === job.step)
    )
    return twins.length === 0 ? undefined : twins.map(({ name }) => name).join()
  },

  "no Job is made twice": ({ incarnations, object, verb }) =>
    object.kind === "Job" && verb === "ADDED" && incarnations > 1 ? object.metadata.name : undefined,

  "one NixBuild for one wish": aboutBuild((now, before, { objects }) => {
    if (before !== undefined || now.metadata.labels?.["app.kubernetes.io/managed-by"] !== managedByUs) return undefined
    const wishOf = ({ metadata, spec }: NixBuild) =>
      JSON.stringify([metadata.namespace, spec.flakeUrl, spec.imageTag, spec.packageName, spec.system])
    const alike = ofKind(objects, "NixBuild")
      .map(decodeBuild)
      .filter((build) => wishOf(build) === wishOf(now))
    return alike.length === 1 ? undefined : alike.map(({ metadata }) => metadata.name).join()
  }),

  "what is over stays over": aboutBuild((now, before) => {
    if (before === undefined || !isTrue(conditionsOf(before), "Complete")) return undefined
    if (before.metadata.generation !== now.metadata.generation || before.status?.attempt !== now.status?.attempt) {
      return undefined
    }
    const said = (build: NixBuild) =>
      JSON.stringify([
        build.status?.status,
        ...(["Complete", "Success"] as const).map((type) => isTrue(conditionsOf(build), type))
      ])
    return said(before) === said(now) ? undefined : `${said(before)} became ${said(now)}`
  }),

  "an image that is said to be there is there": aboutBuild(
    (build, _before, { images }) =>
      build.status?.nodes?.find(
        ({ importedTime, name }) => importedTime !== undefined && !images.has(placeOf(build, name))
      )?.name
  ),

  "a Pod is woken only when its image is there": ({ images, object, verb }) => {
    if (object.kind !== "Pod" || verb === "DELETED") return undefined
    if (object.metadata.annotations?.[wokenAnnotation] === undefined || !isFields(object["spec"])) return undefined
    const { containers, initContainers = [], nodeName } = object["spec"]
    const isThere = [containers, initContainers]
      .flat()
      .some((container) => isFields(container) && images.has(`${String(nodeName)} ${String(container["image"])}`))
    return isThere ? undefined : "its image is not there"
  },

  "no Job is made for a NixBuild that is gone": ({ object, objects, verb }) => {
    const uid = object.metadata.labels?.[nixBuildUidLabel]
    if (object.kind !== "Job" || verb !== "ADDED" || uid === undefined) return undefined
    return ofKind(objects, "NixBuild").some((build) => build.metadata.uid === uid) ? undefined : uid
  },

  "an outcome is that of this NixBuild and of no earlier one": aboutBuild(({ metadata, status }) => {
    const { failure, lockedUrl } = status ?? {}
    const isForeign =
      (lockedUrl !== undefined && !lockedUrl.includes(metadata.uid)) ||
      (failure?.reason === "BuildFailed" && !failure.message.includes(metadata.uid))
    return isForeign ? `${metadata.uid} says ${lockedUrl ?? failure?.message}` : undefined
  }),

  "all nodes that have the image have the same one": aboutBuild(({ status }) => {
    const digests = new Set(
      status?.nodes?.flatMap(({ digest, importedTime }) => (importedTime === undefined ? [] : [digest]))
    )
    return digests.size > 1 ? [...digests].join() : undefined
  }),

  "what the source is, the node that builds finds out, and all other Jobs get that": ({ object, objects, verb }) => {
    const labels = object.metadata.labels ?? {}
    if (object.kind !== "Job" || verb !== "ADDED" || labels["app.kubernetes.io/managed-by"] !== managedByUs) {
      return undefined
    }
    const { node, step, uid, valueOf } = readJob(object)
    const build = ofKind(objects, "NixBuild").find(({ metadata }) => metadata.uid === uid)
    if (step !== "build" || build === undefined) return undefined
    const { status } = decodeBuild(build)
    const lockedUrl = valueOf("LOCKED_URL")
    if (lockedUrl === undefined && node !== status?.buildNode) return `${node} asks the forge itself`
    return lockedUrl === status?.lockedUrl ? undefined : `${lockedUrl} instead of ${status?.lockedUrl}`
  },

  "the source changes only when somebody asks for a retry": aboutBuild((now, before) =>
    before?.status?.lockedUrl === undefined ||
    now.status?.lockedUrl === before.status.lockedUrl ||
    now.status?.handledRetry !== before.status.handledRetry
      ? undefined
      : `${before.status.lockedUrl} became ${now.status?.lockedUrl}`
  ),

  "no condition speaks of a generation to come": aboutBuild(
    (now) =>
      conditionsOf(now).find(({ observedGeneration }) => observedGeneration > (now.metadata.generation ?? 1))?.type
  ),

  "a condition's time moves only with its status": aboutBuild(
    (now, before) =>
      conditionsOf(now).find(({ lastTransitionTime, status, type }) => {
        const earlier = before && conditionsOf(before).find((condition) => condition.type === type)
        // The CRD's default has a status, but since when it does not know.
        const isKnown = earlier !== undefined && earlier.reason !== "Pending"
        return isKnown && earlier.status === status && earlier.lastTransitionTime !== lastTransitionTime
      })?.type
  ),

  "under a tag that two namespaces use, all nodes have one image": aboutBuild(({ spec }, _before, observed) => {
    const users = usersOf(spec.imageTag, observed.objects)
    const there = new Set(
      [...observed.images].flatMap(([name, digest]) => (isUnder(spec.imageTag, name) ? [digest] : []))
    )
    return users.size < 2 || there.size < 2 ? undefined : `${[...users].join()} have ${[...there].join()}`
  }),

  "the image of a tag that two namespaces use stays what it is": ({ before, object, verb }) => {
    if (object.kind !== "Lease" || verb !== "MODIFIED" || before === undefined) return undefined
    const [was, is] = [claimIn(before), claimIn(object)]
    return was.users.length < 2 || is.users.length < 2 || was.digests.every((digest) => is.digests.includes(digest))
      ? undefined
      : `${was.digests.join()} became ${is.digests.join()}`
  },

  "who waits for any object is told the truth about this one": aboutBuild((now, _before, { images, object }) => {
    const said = kstatusOf(object)
    const may = truthOf(now, images)
    return may.includes(said) ? undefined : `${said} instead of ${may.join(" or ")}`
  })
} satisfies Record<string, Check>

/**
 * | the NixBuild                                  | what kstatus may say  |
 * |-----------------------------------------------|-----------------------|
 * | nobody has looked at this generation of it    | InProgress            |
 * | failed, and nobody asked for a retry          | Failed                |
 * | a node that wants the image has it            | Current, InProgress   |
 * | builds, waits, is refused, is tried again     | InProgress            |
 */
const truthOf = (now: NixBuild, images: ReadonlyMap<string, string>): ReadonlyArray<Word> => {
  if (now.status?.observedGeneration !== now.metadata.generation) return ["InProgress"]
  if (now.status?.status === "Failed") return ["Failed"]
  // It comes onto the node before it is told of.
  const isThere = wantedNodes(now).some((name) => images.has(placeOf(now, name)))
  return isThere ? ["Current", "InProgress"] : ["InProgress"]
}

/** Where its image is once it was brought from this node. */
const placeOf = (build: NixBuild, node: string): string =>
  isForRegistry(build) ? `registry ${build.metadata.uid}` : `${node} ${build.spec.imageTag}`

/** Namespaces of which a NixBuild brought an image under the tag. */
const usersOf = (imageTag: string, objects: ReadonlyMap<string, Stored>): ReadonlySet<string | undefined> =>
  new Set(
    ofKind(objects, "NixBuild")
      .map(decodeBuild)
      .filter(
        ({ spec, status }) =>
          spec.imageTag === imageTag && status?.nodes?.some(({ importedTime }) => importedTime !== undefined) === true
      )
      .map(({ metadata }) => metadata.namespace)
  )

const isUnder = (imageTag: string, name: string): boolean => name.split(" ")[1] === imageTag

const claimIn = (stored: Stored) => {
  const lease = Schema.decodeUnknownSync(leases.schema)(stored)
  return { users: namespacesOf(lease), digests: digestsOf(lease, "x86_64-linux") }
}
