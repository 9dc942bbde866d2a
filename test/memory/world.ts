/**
 * What happens in a cluster besides the functions: Jobs run and end, kubelet
 * starts a Pod whose image is there and that was woken. Builds of the package
 * `bad` fail.
 */
import { Effect, Schema } from "effect"
import { kinds, isKindName } from "../../lib/api/kinds.ts"
import { wokenAnnotation } from "../../lib/keys.ts"
import type { ApiServer } from "./api-server.ts"

const digest = `sha256:${"a".repeat(64)}`

const messages = {
  "/app/build.js": {
    outcome: "Succeeded",
    lockedUrl: "github:a/b/0123",
    drvPath: "/nix/store/x.drv",
    storePath: "/nix/store/x",
    digest,
    builtDerivations: 2,
    fetchedPaths: 0
  },
  "/app/import.js": {
    outcome: "Succeeded",
    digest,
    configDigest: `sha256:${"b".repeat(64)}`,
    sizeBytes: 123,
    movedBlobs: 3,
    movedBytes: 120
  },
  "/app/prepare-volume.js": {}
} as const

const failure = { outcome: "Failed", reason: "BuildFailed", message: "It does not build.", log: "error: no" }

const JobSpec = Schema.Struct({
  template: Schema.Struct({
    metadata: Schema.Struct({
      labels: Schema.Record(Schema.String, Schema.String),
      annotations: Schema.Record(Schema.String, Schema.String)
    }),
    spec: Schema.Struct({
      affinity: Schema.Struct({
        nodeAffinity: Schema.Struct({
          requiredDuringSchedulingIgnoredDuringExecution: Schema.Struct({
            nodeSelectorTerms: Schema.Tuple([
              Schema.Struct({ matchFields: Schema.Tuple([Schema.Struct({ values: Schema.Tuple([Schema.String]) })]) })
            ])
          })
        })
      }),
      containers: Schema.Tuple([
        Schema.Struct({
          name: Schema.String,
          args: Schema.Tuple([Schema.Literals(["/app/build.js", "/app/import.js", "/app/prepare-volume.js"])]),
          env: Schema.Array(Schema.Struct({ name: Schema.String, value: Schema.String }))
        })
      ])
    })
  })
})

export const makeWorld = (api: ApiServer) => {
  /** `node image` of what was imported. */
  const images = new Set<string>()

  const runJob = Effect.fnUntraced(function* (job: {
    readonly metadata: { readonly name: string; readonly namespace?: string }
    readonly spec: unknown
  }) {
    const { template } = yield* Schema.decodeUnknownEffect(JobSpec)(job.spec)
    const [{ args, env, name }] = template.spec.containers
    const [{ matchFields }] =
      template.spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms
    const [nodeName] = matchFields[0].values
    const valueOf = (key: string) => env.find((variable) => variable.name === key)?.value
    const isBad = args[0] === "/app/build.js" && valueOf("PACKAGE_NAME") === "bad"
    const { namespace } = job.metadata
    yield* api.others.create({
      apiVersion: "v1",
      kind: "Pod",
      metadata: {
        name: `${job.metadata.name}-x`,
        namespace,
        labels: { ...template.metadata.labels, "batch.kubernetes.io/job-name": job.metadata.name },
        annotations: template.metadata.annotations,
        ownerReferences: [{ uid: api.objects.get(`Job/${namespace}/${job.metadata.name}`)?.metadata.uid }]
      },
      spec: { nodeName, containers: [{ name, image: "builder" }] },
      status: {
        phase: isBad ? "Failed" : "Succeeded",
        containerStatuses: [
          {
            name,
            state: {
              terminated: {
                exitCode: isBad ? 1 : 0,
                message: JSON.stringify(isBad ? failure : messages[args[0]])
              }
            }
          }
        ]
      }
    })
    if (args[0] === "/app/import.js") images.add(`${nodeName} ${valueOf("IMAGE_TAG")}`)
    yield* api.others.patch(
      { kind: kinds.Job, name: job.metadata.name, namespace, subresource: "status" },
      { status: { conditions: [{ type: isBad ? "Failed" : "Complete", status: "True" }] } }
    )
  })

  const startPod = Effect.fnUntraced(function* (pod: {
    readonly metadata: { readonly name: string; readonly namespace?: string }
    readonly name: string
  }) {
    yield* api.others.patch(
      { kind: kinds.Pod, name: pod.metadata.name, namespace: pod.metadata.namespace, subresource: "status" },
      { status: { phase: "Running", containerStatuses: [{ name: pod.name, state: { running: {} } }] } }
    )
  })

  /** Everybody else acts once. */
  const tick = Effect.gen(function* () {
    for (const object of Array.from(api.objects.values())) {
      if (!isKindName(object.kind)) continue
      if (object.kind === "Job" && object["status"] === undefined) yield* runJob({ ...object, spec: object["spec"] })
      if (object.kind !== "Pod" || object.metadata.annotations?.[wokenAnnotation] === undefined) continue
      const pod = yield* Schema.decodeUnknownEffect(kinds.Pod.schema)(object)
      const [container] = pod.spec.containers
      const isWaiting = pod.status?.containerStatuses?.[0]?.state?.waiting !== undefined
      if (isWaiting && images.has(`${pod.spec.nodeName} ${container?.image}`)) {
        yield* startPod({ metadata: object.metadata, name: container?.name ?? "" })
      }
    }
  })
  return { tick, images }
}

export const node = (name: string) => ({
  apiVersion: "v1",
  kind: "Node",
  metadata: { name, labels: { "kubernetes.io/arch": "amd64" } },
  spec: {},
  status: {
    conditions: [{ type: "Ready", status: "True" }],
    nodeInfo: { containerRuntimeVersion: "containerd://2.4.2" }
  }
})

export const namespace = (name: string) => ({ apiVersion: "v1", kind: "Namespace", metadata: { name } })

/** A Pod that kubelet can't start for want of its image. */
export const waitingPod = (pod: {
  readonly name: string
  readonly nodeName: string
  readonly image: string
  readonly packageName: string
}) => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: {
    name: pod.name,
    namespace: "apps",
    annotations: {
      "enbi.hrzn.ee/nixbuild-flakeUrl": "github:a/b",
      "enbi.hrzn.ee/nixbuild-imageTag": pod.image,
      "enbi.hrzn.ee/nixbuild-packageName": pod.packageName
    }
  },
  spec: { nodeName: pod.nodeName, containers: [{ name: "app", image: pod.image }] },
  status: {
    phase: "Pending",
    containerStatuses: [{ name: "app", state: { waiting: { reason: "ImagePullBackOff" } } }]
  }
})
