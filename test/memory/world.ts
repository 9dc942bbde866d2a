/**
 * What happens in a cluster besides the functions: Jobs run and end, kubelet
 * starts a Pod whose image is there and that was woken, and what lost its
 * owner is collected.
 */
import { Effect } from "effect"
import { createHash } from "node:crypto"
import { kinds } from "../../lib/api/kinds.ts"
import { isOurs } from "../../lib/api/kubernetes.ts"
import { decodeAs } from "../../lib/cluster.ts"
import { wokenAnnotation } from "../../lib/keys.ts"
import { readJob } from "./job.ts"
import { type At, isFields, type Objects, type Stored } from "../../lib/memory/objects.ts"

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

const failures = {
  bad: (uid: string) => ({ reason: "BuildFailed", message: `It does not build for ${uid}.` }),
  flaky: (uid: string) => ({ reason: "FetchFailed", message: `It does not fetch for ${uid}.` })
} as const

export const makeWorld = ({ create, objects, patch, remove }: Objects) => {
  /** `node image` of what was imported. */
  const images = new Set<string>()
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

  const startJob = Effect.fnUntraced(function* (job: Stored) {
    const { container, node, template } = readJob(job)
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
        status: { phase: "Running", containerStatuses: [{ name: container, state: { running: {} } }] }
      })
    )
    yield* setStatus({ kind: "Job", ...job.metadata }, { active: 1 })
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

  const startPod = Effect.fnUntraced(function* (stored: Stored) {
    const pod = yield* Effect.orDie(decodeAs(kinds.Pod)(stored))
    const [container] = pod.spec.containers
    const isWaiting = pod.status?.containerStatuses?.[0]?.state?.waiting !== undefined
    if (!isWaiting || container === undefined || !images.has(`${pod.spec.nodeName} ${container.image}`)) return
    yield* setStatus(
      { kind: "Pod", ...stored.metadata },
      { phase: "Running", containerStatuses: [{ name: container.name, state: { running: {} } }] }
    )
  })

  /** Everybody else acts once: a Job starts in one tick and ends in another. */
  const tick = Effect.gen(function* () {
    for (const object of Array.from(objects.values())) {
      if (object.kind === "Job" && isOurs(object)) {
        if (object["status"] === undefined) yield* startJob(object)
        else if (readJob(object).isLive) yield* endJob(object)
      }
      if (object.kind === "Pod" && object.metadata.annotations?.[wokenAnnotation] !== undefined) yield* startPod(object)
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

  return { tick, images }
}

export type World = ReturnType<typeof makeWorld>

const ownersOf = ({ metadata }: Stored): ReadonlyArray<string> => {
  const owners = metadata["ownerReferences"]
  return Array.isArray(owners) ? owners.flatMap((owner) => (isFields(owner) ? [String(owner["uid"])] : [])) : []
}
