/**
 * What happens in a cluster besides the functions: Jobs run and end, kubelet
 * starts the containers of a Pod that was woken whose images are there, and
 * what lost its owner is collected.
 */
import { Effect } from "effect"
import { pods } from "../../lib/kubernetes/kinds.ts"
import { isOurs } from "../../lib/kubernetes/kinds.ts"
import { decodeAs } from "../../lib/kubernetes/cluster.ts"
import { wokenAnnotation } from "../../lib/api/annotations.ts"
import { waitingContainers } from "../../lib/nixbuild/waiting-pods.ts"
import { currentTime } from "../../lib/kubernetes/time.ts"
import { hash10 } from "../../lib/hash.ts"
import { readJob } from "./job.ts"
import { keyOf } from "../../lib/kubernetes/kind.ts"
import { type At, isFields, type Objects, type Stored } from "../../lib/memory/objects.ts"

/** The same for the same source and package, unless its name says that each build, or node two, gives another. */
const digestOf = (source: string, by: { readonly job: string; readonly node: string }): string => {
  const differs = source.includes("moving") ? by.job : source.includes("odd") && by.node === "two" ? by.node : ""
  return `sha256:${hash10(source, differs).padEnd(64, "0")}`
}

const brought = (_lockedUrl: string, digest: string) => ({
  outcome: "Succeeded",
  digest,
  configDigest: `sha256:${"b".repeat(64)}`,
  sizeBytes: 123,
  movedBlobs: 3,
  movedBytes: 120
})

// Each outcome carries the uid of its NixBuild, so that one that was taken for another's shows.
const successes = {
  build: (lockedUrl: string, digest: string) => ({
    outcome: "Succeeded",
    lockedUrl,
    drvPath: "/nix/store/x.drv",
    storePath: "/nix/store/x",
    digest,
    builtDerivations: 2,
    fetchedPaths: 0
  }),
  import: brought,
  publish: brought,
  pull: (_lockedUrl: string, digest: string) => ({ outcome: "Succeeded", digest }),
  volume: () => ({}),
  removal: () => ({})
} as const

const noRoom = {
  phase: "Pending",
  conditions: [
    { type: "PodScheduled", status: "False", reason: "Unschedulable", message: "1 Insufficient memory, says the test." }
  ]
}

interface Tried {
  readonly packageName: string
  /** Of an import alone. */
  readonly imageTag: string
  readonly uid: string
  readonly isFirst: boolean
}

/** What is not in `given.ts` is in the recordings of `test/upgrade`. */
const failureOf = ({ imageTag, isFirst, packageName, uid }: Tried) => {
  if (packageName === "bad") return { reason: "BuildFailed", message: `It does not build for ${uid}.` }
  if (packageName === "slow" || packageName === "stuck") return { reason: "TimedOut", message: "It takes too long." }
  if (imageTag.includes("unloadable")) return { reason: "ImportFailed", message: "containerd does not take it." }
  return packageName === "flaky" && isFirst
    ? { reason: "FetchFailed", message: `It does not fetch for ${uid}.` }
    : undefined
}

const waiting = (reason: string) => ({ waiting: { reason } })

const refusal = (expected: string) => ({ reason: "TagConflict", message: `It is ${expected} already.`, log: "" })

/** What no object says. */
export interface Disks {
  /** By `node image`, the digest of what was imported; by `registry uid`, of what was published. */
  readonly images: Map<string, string>
  /** By the NixBuild's uid and the node, the digest of what was built. */
  readonly layouts: Map<string, string>
  /** By the NixBuild's uid and the node, the source that it was built of. */
  readonly sources: Map<string, string>
}

export const emptyDisks = (): Disks => ({ images: new Map(), layouts: new Map(), sources: new Map() })

export const makeWorld = ({ create, objects, patch, remove }: Objects, disks = emptyDisks()) => {
  const { images, layouts, sources } = disks
  /** `step node`: the scheduler finds no room there for the Pods of Jobs of this step. */
  const full = new Set<string>()
  let commits = 0

  const setStatus = (at: At, status: object) => Effect.orDie(patch({ ...at, subresource: "status" }, { status }))

  const podOf = (job: Stored) => ({
    kind: "Pod",
    namespace: job.metadata.namespace,
    // A Job that was deleted and made again under the same name has another Pod than before.
    name: `${job.metadata.name}-${job.metadata.uid.slice(-5)}`
  })

  const runningPod = (container: string) => ({
    phase: "Running",
    conditions: [{ type: "PodScheduled", status: "True" }],
    containerStatuses: [{ name: container, state: { running: {} } }]
  })

  const makePod = Effect.fnUntraced(function* (job: Stored) {
    const { container, node, step, template } = readJob(job)
    const { name, uid } = job.metadata
    yield* Effect.orDie(
      create({
        apiVersion: "v1",
        kind: "Pod",
        metadata: {
          ...template,
          ...podOf(job),
          labels: {
            ...template.labels,
            "batch.kubernetes.io/job-name": name,
            "batch.kubernetes.io/controller-uid": uid
          },
          ownerReferences: [{ apiVersion: "batch/v1", kind: "Job", name, uid, controller: true }]
        },
        spec: { nodeName: node, containers: [{ name: container, image: "builder" }] },
        status: full.has(`${step} ${node}`) ? noRoom : runningPod(container)
      })
    )
    yield* setStatus({ kind: "Job", ...job.metadata }, { active: 1 })
  })

  /** Starts the Pod, or lets it wait; true once it runs. */
  const startJob = Effect.fnUntraced(function* (job: Stored) {
    const { container, node, step } = readJob(job)
    const pod = objects.get(keyOf(podOf(job)))
    if (pod === undefined) yield* makePod(job)
    else if (JSON.stringify(pod["status"]).includes("Unschedulable")) {
      if (!full.has(`${step} ${node}`)) yield* setStatus(podOf(job), runningPod(container))
    } else return true
    return false
  })

  /** As Kubernetes does when a Job's deadline is over. */
  const runOutOfTime = Effect.fnUntraced(function* (job: Stored) {
    yield* Effect.orDie(remove(podOf(job)))
    const conditions = [{ type: "Failed", status: "True", reason: "DeadlineExceeded" }]
    yield* setStatus({ kind: "Job", ...job.metadata }, { active: null, conditions })
  })

  const endJob = Effect.fnUntraced(function* (job: Stored) {
    const { container, hasDeadline, node, step, uid, valueOf } = readJob(job)
    const place = `${uid} ${node}`
    const isFirst = !sources.has(place)
    const [flake = ""] = valueOf("FLAKE_URL")?.split("?") ?? []
    const image = valueOf("IMAGE_REQUEST")
    const packageName = image === undefined ? (valueOf("PACKAGE_NAME") ?? "") : image.includes('"bad"') ? "bad" : image
    const imageTag = valueOf("IMAGE_TAG") ?? ""
    if (hasDeadline && packageName === "stuck") return yield* runOutOfTime(job)
    if (step === "build") {
      // The branch of the flaky package moves between any two Jobs that ask what it is.
      const commit = packageName === "flaky" ? ++commits : 1
      const source = valueOf("LOCKED_URL") ?? `${flake}/${uid}?narHash=${commit}`
      const hash = source.replace(/^.*\?/u, "")
      sources.set(place, source)
      layouts.set(place, digestOf(`${flake}#${packageName} ${hash}`, { job: job.metadata.name, node }))
    }
    const source = sources.get(place) ?? ""
    const digest = layouts.get(place) ?? ""
    const name = `${node} ${imageTag}`
    const expected = valueOf("EXPECTED_DIGEST")
    const isHeldBack = expected !== undefined && [digest, images.get(name) ?? expected].some((one) => one !== expected)
    const why = isHeldBack ? refusal(expected) : failureOf({ packageName, imageTag, uid, isFirst })
    const isBad = why !== undefined
    const message = JSON.stringify(
      isBad ? { outcome: "Failed", log: "error: no", lockedUrl: source, ...why } : successes[step](source, digest)
    )
    yield* setStatus(podOf(job), {
      phase: isBad ? "Failed" : "Succeeded",
      containerStatuses: [{ name: container, state: { terminated: { exitCode: isBad ? 1 : 0, message } } }]
    })
    if ((step === "import" || step === "pull") && !isBad) images.set(name, digest)
    if (step === "publish" && !isBad) images.set(`registry ${uid}`, digest)
    yield* setStatus(
      { kind: "Job", ...job.metadata },
      {
        active: null,
        ...(isBad ? {} : { completionTime: yield* currentTime }),
        conditions: [{ type: isBad ? "Failed" : "Complete", status: "True" }]
      }
    )
  })

  /** What each Pod was woken for when kubelet last looked at it: it backs off until that changes. */
  const seen = new Map<string, string | undefined>()

  /** As kubelet does: one init container after the other, then all others. */
  const startPod = Effect.fnUntraced(function* (stored: Stored) {
    const pod = yield* Effect.orDie(decodeAs(pods)(stored))
    const { metadata, spec, status } = pod
    const woken = metadata.annotations?.[wokenAnnotation]
    if (waitingContainers(pod).length === 0 || seen.get(metadata.uid) === woken) return
    seen.set(metadata.uid, woken)
    const { containers, initContainers = [] } = spec
    const isThere = ({ image }: { readonly image?: string }) => images.has(`${spec.nodeName} ${image}`)
    const missing = initContainers.findIndex((container) => !isThere(container))
    const isInitialized = missing < 0
    const isRunning = isInitialized && containers.every(isThere)
    yield* setStatus(
      { kind: "Pod", ...stored.metadata },
      {
        phase: isRunning ? "Running" : status?.phase,
        initContainerStatuses: initContainers
          .slice(0, isInitialized ? initContainers.length : missing + 1)
          .map((container) => ({
            name: container.name,
            state: isThere(container) ? { terminated: { exitCode: 0 } } : waiting("ImagePullBackOff")
          })),
        containerStatuses: containers.map((container) => ({
          name: container.name,
          state: !isInitialized
            ? waiting("PodInitializing")
            : isThere(container)
              ? { running: {} }
              : waiting("ImagePullBackOff")
        }))
      }
    )
  })

  /** Whoever else looks at a Job or a Pod acts on it: a Job starts in one such step and ends in another. */
  const act = Effect.fnUntraced(function* (object: Stored) {
    if (object.kind === "Job" && isOurs(object)) {
      if (readJob(object).isLive && (yield* startJob(object))) yield* endJob(object)
    }
    if (object.kind === "Pod") yield* startPod(object)
  })

  /** Everybody else acts once. */
  const tick = Effect.gen(function* () {
    for (const object of Array.from(objects.values())) yield* act(object)
    yield* collect
  })

  /** What is left without any of its owners goes too. */
  const collect = Effect.gen(function* () {
    const uids = new Set([...objects.values()].map(({ metadata }) => metadata.uid))
    for (const object of Array.from(objects.values())) {
      const owners = ownersOf(object)
      if (owners.length === 0 || owners.some((uid) => uids.has(uid))) continue
      yield* Effect.orDie(remove({ kind: object.kind, ...object.metadata }))
    }
  })

  return { act, collect, tick, images, full }
}

export type World = ReturnType<typeof makeWorld>

const ownersOf = ({ metadata }: Stored): ReadonlyArray<string> => {
  const owners = metadata["ownerReferences"]
  return Array.isArray(owners) ? owners.flatMap((owner) => (isFields(owner) ? [String(owner["uid"])] : [])) : []
}
