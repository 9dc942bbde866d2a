/** The kinds of Kubernetes itself that the functions read, with the fields that they need. */
import { Schema } from "effect"
import { systemNamespace } from "./system-namespace.ts"
import { defineKind, type Kind, ObjectMeta } from "./kind.ts"

const optional = Schema.optionalKey

/** On everything that the functions create. */
export const managedBy = { "app.kubernetes.io/managed-by": "enbi-functions" }
const ours = "app.kubernetes.io/managed-by=enbi-functions"

/** Whether the functions created it, for what was read by name. */
export const isOurs = ({ metadata }: { readonly metadata: ObjectMeta }): boolean =>
  Object.entries(managedBy).every(([key, value]) => metadata.labels?.[key] === value)

// Go writes null for a time that was not set, as kubelet does for a container that it lost.
const Time = optional(Schema.NullOr(Schema.String))

const Condition = Schema.Struct({
  type: Schema.String,
  status: Schema.String,
  reason: optional(Schema.String),
  message: optional(Schema.String),
  lastTransitionTime: Time
})

const ContainerState = Schema.Struct({
  waiting: optional(Schema.Struct({ reason: optional(Schema.String), message: optional(Schema.String) })),
  running: optional(Schema.Struct({ startedAt: Time })),
  terminated: optional(
    Schema.Struct({
      exitCode: Schema.Int,
      reason: optional(Schema.String),
      message: optional(Schema.String),
      startedAt: Time
    })
  )
})
const ContainerStatus = Schema.Struct({
  name: Schema.String,
  containerID: optional(Schema.String),
  state: optional(ContainerState)
})
const Container = Schema.Struct({
  name: Schema.String,
  image: optional(Schema.String),
  imagePullPolicy: optional(Schema.String)
})

export const Pod = Schema.Struct({
  metadata: ObjectMeta,
  spec: Schema.Struct({
    nodeName: optional(Schema.String),
    activeDeadlineSeconds: optional(Schema.Int),
    initContainers: optional(Schema.Array(Container)),
    containers: Schema.Array(Container),
    ephemeralContainers: optional(Schema.Array(Container))
  }),
  status: optional(
    Schema.Struct({
      phase: optional(Schema.String),
      reason: optional(Schema.String),
      message: optional(Schema.String),
      startTime: optional(Schema.String),
      conditions: optional(Schema.Array(Condition)),
      initContainerStatuses: optional(Schema.Array(ContainerStatus)),
      containerStatuses: optional(Schema.Array(ContainerStatus)),
      ephemeralContainerStatuses: optional(Schema.Array(ContainerStatus))
    })
  )
})
export type Pod = typeof Pod.Type
export const pods = defineKind<Pod>({
  apiVersion: "v1",
  kind: "Pod",
  plural: "pods",
  namespaced: true,
  selectableFields: ["spec.nodeName", "status.phase"],
  schema: Pod
})

const Taint = Schema.Struct({ key: Schema.String, value: optional(Schema.String), effect: Schema.String })

export const Node = Schema.Struct({
  metadata: ObjectMeta,
  spec: Schema.Struct({ unschedulable: optional(Schema.Boolean), taints: optional(Schema.Array(Taint)) }),
  status: Schema.Struct({
    conditions: optional(
      Schema.Array(Schema.Struct({ type: Schema.String, status: Schema.String, lastTransitionTime: Time }))
    ),
    nodeInfo: optional(Schema.Struct({ containerRuntimeVersion: Schema.String })),
    /** What kubelet reports: the largest images, and not all names of each. */
    images: optional(Schema.Array(Schema.Struct({ names: optional(Schema.NullOr(Schema.Array(Schema.String))) })))
  })
})
export type Node = typeof Node.Type
/** The node without its images, which would only make records of decisions larger. */
export const withoutImages = ({ status, ...node }: Node): Node => {
  const { images: _, ...rest } = status
  return { ...node, status: rest }
}
export const nodes = defineKind<Node>({
  apiVersion: "v1",
  kind: "Node",
  plural: "nodes",
  namespaced: false,
  schema: Node
})

export const Job = Schema.Struct({
  metadata: ObjectMeta,
  spec: optional(
    Schema.Struct({ suspend: optional(Schema.NullOr(Schema.Boolean)), activeDeadlineSeconds: optional(Schema.Int) })
  ),
  status: optional(
    Schema.Struct({
      completionTime: optional(Schema.String),
      conditions: optional(Schema.Array(Condition))
    })
  )
})
export type Job = typeof Job.Type
export const jobs = defineKind<Job>({
  apiVersion: "batch/v1",
  kind: "Job",
  plural: "jobs",
  namespaced: true,
  selector: ours,
  schema: Job
})

export const Namespace = Schema.Struct({ metadata: ObjectMeta })
export type Namespace = typeof Namespace.Type
export const namespaces = defineKind<Namespace>({
  apiVersion: "v1",
  kind: "Namespace",
  plural: "namespaces",
  namespaced: false,
  schema: Namespace
})

export const PersistentVolume = Schema.Struct({
  metadata: ObjectMeta,
  status: optional(Schema.Struct({ phase: optional(Schema.String) }))
})
export type PersistentVolume = typeof PersistentVolume.Type
export const persistentVolumes = defineKind<PersistentVolume>({
  apiVersion: "v1",
  kind: "PersistentVolume",
  plural: "persistentvolumes",
  namespaced: false,
  selector: ours,
  schema: PersistentVolume
})

export const PersistentVolumeClaim = Schema.Struct({
  metadata: ObjectMeta,
  status: optional(Schema.Struct({ phase: optional(Schema.String) }))
})
export type PersistentVolumeClaim = typeof PersistentVolumeClaim.Type
export const persistentVolumeClaims = defineKind<PersistentVolumeClaim>({
  apiVersion: "v1",
  kind: "PersistentVolumeClaim",
  plural: "persistentvolumeclaims",
  namespaced: true,
  selector: ours,
  schema: PersistentVolumeClaim
})

/** A Kubernetes Event that we wrote: seeing it again means that it is said. */
export const Event = Schema.Struct({
  metadata: ObjectMeta,
  reason: optional(Schema.String),
  firstTimestamp: Time,
  /** Beside the object that it is about. */
  related: optional(Schema.Struct({ name: optional(Schema.String), uid: optional(Schema.String) }))
})
export type Event = typeof Event.Type
export const events = defineKind<Event>({
  apiVersion: "v1",
  kind: "Event",
  plural: "events",
  namespaced: true,
  selector: ours,
  selectableFields: ["involvedObject.uid"],
  schema: Event
})

/** What Kubernetes says in an Event about an object of ours. */
export const Report = Schema.Struct({
  metadata: ObjectMeta,
  type: optional(Schema.String),
  reason: optional(Schema.String),
  message: optional(Schema.String),
  lastTimestamp: Time,
  eventTime: Time,
  series: optional(Schema.NullOr(Schema.Struct({ lastObservedTime: Time })))
})
export type Report = typeof Report.Type
/** Only ever asked of one object: all Events of a cluster are too many. */
export const reports: Kind<Report> = {
  apiVersion: "v1",
  kind: "Event",
  plural: "events",
  namespaced: true,
  selectableFields: ["involvedObject.uid"],
  schema: Report
}

/** What a namespace may have. Its status changes with all that comes and goes there. */
export const ResourceQuota = Schema.Struct({
  metadata: ObjectMeta,
  spec: optional(Schema.Struct({ hard: optional(Schema.Record(Schema.String, Schema.Unknown)) }))
})
export type ResourceQuota = typeof ResourceQuota.Type
export const resourceQuotas = defineKind<ResourceQuota>({
  apiVersion: "v1",
  kind: "ResourceQuota",
  plural: "resourcequotas",
  namespaced: true,
  schema: ResourceQuota
})

/** Which namespace holds an image tag: see `lib/nixbuild/tag-claim.ts`. */
export const Lease = Schema.Struct({ metadata: ObjectMeta })
export type Lease = typeof Lease.Type
export const leases = defineKind<Lease>({
  apiVersion: "coordination.k8s.io/v1",
  kind: "Lease",
  plural: "leases",
  namespaced: true,
  onlyNamespace: systemNamespace,
  selector: ours,
  schema: Lease
})

/** Asks the API server whose token it is. Only ever created: it is answered, and not kept. */
export const tokenReviews: Kind = {
  apiVersion: "authentication.k8s.io/v1",
  kind: "TokenReview",
  plural: "tokenreviews",
  namespaced: false,
  schema: Schema.Struct({ metadata: ObjectMeta })
}

export const isReady = (node: Node): boolean =>
  (node.status.conditions ?? []).some((condition) => condition.type === "Ready" && condition.status === "True")

const hasJobCondition = (job: Job, type: string): boolean =>
  (job.status?.conditions ?? []).some((condition) => condition.type === type && condition.status === "True")

export const isSucceeded = (job: Job): boolean => hasJobCondition(job, "Complete")
export const isFailed = (job: Job): boolean => hasJobCondition(job, "Failed")
