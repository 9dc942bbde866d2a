/**
 * What happens in a cluster besides the functions: Jobs run and end, kubelet
 * starts the containers of a Pod that was woken whose images are there, and
 * what lost its owner is collected.
 */
import { Effect } from "effect"
import { createHash } from "node:crypto"
import { kinds } from "../../lib/api/kinds.ts"
import { isOurs } from "../../lib/api/kubernetes.ts"
import { decodeAs } from "../../lib/cluster.ts"
import { wokenAnnotation } from "../../lib/keys.ts"
import { waitingContainers } from "../../lib/waiting.ts"
import { readJob } from "./job.ts"
import { type At, isFields, keyOf, type Objects, type Stored } from "../../lib/memory/objects.ts"

// The image is what its source is.
const digestOf = (source: string) => `sha256:${createHash("sha256").update(source).digest("hex")}`

// Each outcome carries the uid of its NixBuild, so that one that was taken for another's shows.
const successes = {
  build: (lockedUrl: string) => ({
    outcome: "Succeeded",
    lockedUrl,
    drvPath: "/nix/store/x.drv",
    storePath: "/nix/store/x",
    digest: digestOf(lockedUrl),
    builtDerivations: 2,
    fetchedPaths: 0
  }),
  import: (lockedUrl: string) => ({
    outcome: "Succeeded",
    digest: digestOf(lockedUrl),
    configDigest: `sha256:${"b".repeat(64)}`,
    sizeBytes: 123,
    movedBlobs: 3,
    movedBytes: 120
  }),
  volume: () => ({}),
  removal: () => ({})
} as const

const noRoom = {
  phase: "Pending",
  conditions: [
    { type: "PodScheduled", status: "False", reason: "Unschedulable", message: "1 Insufficient memory, says the test." }
  ]
}

const failures = {
  bad: (uid: string) => ({ reason: "BuildFailed", message: `It does not build for ${uid}.` }),
  flaky: (uid: string) => ({ reason: "FetchFailed", message: `It does not fetch for ${uid}.` })
} as const

const waiting = (reason: string) => ({ waiting: { reason } })

export const makeWorld = ({ create, objects, patch, remove }: Objects) => {
  /** `node image` of what was imported. */
  const images = new Set<string>()
  /** `step node`: the scheduler finds no room there for the Pods of Jobs of this step. */
  const full = new Set<string>()
  /** Of each NixBuild on each node, what its last build was made of: `uid node`. */
  const sources = new Map<string, string>()
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

  const endJob = Effect.fnUntraced(function* (job: Stored) {
    const { container, node, step, uid, valueOf } = readJob(job)
    const place = `${uid} ${node}`
    const isFirst = !sources.has(place)
    if (step === "build") {
      // The branch moves between any two Jobs that ask what it is.
      sources.set(place, valueOf("LOCKED_URL") ?? `github:a/b/${uid}?narHash=${++commits}`)
    }
    const source = sources.get(place) ?? ""
    const packageName = valueOf("PACKAGE_NAME")
    const why =
      packageName === "bad" ? failures.bad(uid) : packageName === "flaky" && isFirst ? failures.flaky(uid) : undefined
    const isBad = why !== undefined
    const message = JSON.stringify(
      isBad ? { outcome: "Failed", ...why, log: "error: no", lockedUrl: source } : successes[step](source)
    )
    yield* setStatus(podOf(job), {
      phase: isBad ? "Failed" : "Succeeded",
      containerStatuses: [{ name: container, state: { terminated: { exitCode: isBad ? 1 : 0, message } } }]
    })
    if (step === "import") images.add(`${node} ${valueOf("IMAGE_TAG")}`)
    yield* setStatus(
      { kind: "Job", ...job.metadata },
      { active: null, conditions: [{ type: isBad ? "Failed" : "Complete", status: "True" }] }
    )
  })

  /** What each Pod was woken for when kubelet last looked at it: it backs off until that changes. */
  const seen = new Map<string, string | undefined>()

  /** As kubelet does: one init container after the other, then all others. */
  const startPod = Effect.fnUntraced(function* (stored: Stored) {
    const pod = yield* Effect.orDie(decodeAs(kinds.Pod)(stored))
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

  /** Everybody else acts once: a Job starts in one tick and ends in another. */
  const tick = Effect.gen(function* () {
    for (const object of Array.from(objects.values())) {
      if (object.kind === "Job" && isOurs(object)) {
        if (readJob(object).isLive && (yield* startJob(object))) yield* endJob(object)
      }
      if (object.kind === "Pod") yield* startPod(object)
    }
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

  return { tick, images, full }
}

export type World = ReturnType<typeof makeWorld>

const ownersOf = ({ metadata }: Stored): ReadonlyArray<string> => {
  const owners = metadata["ownerReferences"]
  return Array.isArray(owners) ? owners.flatMap((owner) => (isFields(owner) ? [String(owner["uid"])] : [])) : []
}
