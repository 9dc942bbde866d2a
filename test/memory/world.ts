/**
 * What happens in a cluster besides the functions: Jobs run and end, kubelet
 * starts a Pod whose image is there and that was woken, and what lost its
 * owner is collected.
 */
import { Effect } from "effect"
import { kinds } from "../../lib/api/kinds.ts"
import { isOurs } from "../../lib/api/kubernetes.ts"
import { decodeAs } from "../../lib/cluster.ts"
import { wokenAnnotation } from "../../lib/keys.ts"
import { hash10 } from "../../lib/names.ts"
import { readJob } from "./job.ts"
import { type At, isFields, type Objects, type Stored } from "../../lib/memory/objects.ts"

/** The same for the same source and package, unless its name says that each build, or node two, gives another. */
const digestOf = (source: string, by: { readonly job: string; readonly node: string }): string => {
  const differs = source.includes("moving") ? by.job : source.includes("odd") && by.node === "two" ? by.node : ""
  return `sha256:${hash10(source, differs).padEnd(64, "0")}`
}

// Each outcome carries the uid of its NixBuild, so that one that was taken for another's shows.
const successes = {
  build: (uid: string, digest: string) => ({
    outcome: "Succeeded",
    lockedUrl: `github:a/b/${uid}`,
    drvPath: "/nix/store/x.drv",
    storePath: "/nix/store/x",
    digest,
    builtDerivations: 2,
    fetchedPaths: 0
  }),
  import: (_uid: string, digest: string) => ({
    outcome: "Succeeded",
    digest,
    configDigest: `sha256:${"b".repeat(64)}`,
    sizeBytes: 123,
    movedBlobs: 3,
    movedBytes: 120
  }),
  volume: () => ({}),
  removal: () => ({})
} as const

const failure = (uid: string) => ({
  outcome: "Failed",
  reason: "BuildFailed",
  message: `It does not build for ${uid}.`,
  log: "error: no"
})

const refusal = (expected: string) => ({
  outcome: "Failed",
  reason: "TagConflict",
  message: `It is ${expected} already.`,
  log: ""
})

export const makeWorld = ({ create, objects, patch, remove }: Objects) => {
  /** By `node image`, the digest of what was imported. */
  const images = new Map<string, string>()
  /** By the NixBuild's uid and the node, the digest of what was built. */
  const layouts = new Map<string, string>()

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
    const layout = `${uid} ${node}`
    if (step === "build") {
      const source = `${valueOf("FLAKE_URL")}#${valueOf("PACKAGE_NAME")}`
      layouts.set(layout, digestOf(source, { job: job.metadata.name, node }))
    }
    const digest = layouts.get(layout) ?? ""
    const name = `${node} ${valueOf("IMAGE_TAG")}`
    const expected = valueOf("EXPECTED_DIGEST")
    const isHeldBack = expected !== undefined && [digest, images.get(name) ?? expected].some((one) => one !== expected)
    const isBad = isHeldBack || valueOf("PACKAGE_NAME") === "bad"
    const bad = isHeldBack ? refusal(expected) : failure(uid)
    const message = JSON.stringify(isBad ? bad : successes[step](uid, digest))
    yield* setStatus(podOf(job), {
      phase: isBad ? "Failed" : "Succeeded",
      containerStatuses: [{ name: container, state: { terminated: { exitCode: isBad ? 1 : 0, message } } }]
    })
    if (step === "import" && !isBad) images.set(name, digest)
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
