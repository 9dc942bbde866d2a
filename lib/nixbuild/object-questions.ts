/** What is asked about many objects of Kubernetes' own kinds at once. */
import { controllerUidLabel, nixBuildUidLabel, regardingLabel, tagLabel } from "../api/annotations.ts"
import { systemNamespace } from "../kubernetes/system-namespace.ts"
import { waitingContainers } from "./waiting-pods.ts"
import {
  events,
  type Job,
  jobs,
  persistentVolumeClaims,
  type Pod,
  pods,
  type Report,
  reports
} from "../kubernetes/kinds.ts"
import { networkPolicies } from "../kubernetes/network-policy.ts"
import { inNamespace, labelled, type Question, question } from "../kubernetes/question.ts"

interface Metadata {
  readonly namespace?: string | undefined
  readonly uid: string
}

const ofBuild = ({ uid }: Pick<Metadata, "uid">) => ({ value: uid })
const ofJob = ({ metadata: { namespace, uid } }: Job) => ({ namespace, value: uid })

/** The Pods of a Job. */
// By uid: a Job that was deleted and made again under the same name must not be told of by its forerunner's Pod.
export const podsOf = labelled({ kind: pods, label: controllerUidLabel, asked: ofJob })

/** The Pods of all Jobs of a NixBuild. */
export const podsOfJobsOf = labelled({ kind: pods, label: nixBuildUidLabel, asked: ofBuild })

/** The Jobs of a NixBuild: those that build, in its namespace, and those that import, in the system's. */
export const jobsOf = labelled({ kind: jobs, label: nixBuildUidLabel, asked: ofBuild })

/** The Jobs that import an image under a tag, by the name of its Lease. */
export const importsUnder = labelled({
  kind: jobs,
  label: tagLabel,
  asked: (lease: string) => ({ namespace: systemNamespace, value: lease })
})

/** The Events of ours that speak of an object. */
export const eventsRegarding = labelled({
  kind: events,
  label: regardingLabel,
  asked: ({ namespace, uid }: Metadata) => ({ namespace, value: uid })
})

/** What Kubernetes says in Events about an object: only asked past a cache, since all Events of a cluster are too many. */
export const reportsAbout = ({ namespace, uid }: Metadata): Question<Report> => ({
  kind: reports,
  selector: { namespace, fields: [`involvedObject.uid=${uid}`] }
})

/** Whether kubelet misses an image for one of its containers. */
const isWaiting = (pod: Pod): boolean => waitingContainers(pod).length > 0

/** The Pods on a node that wait for an image. A node has some hundred Pods at most, so all of them are looked through. */
export const podsWaitingOn = question({
  kind: pods,
  keysOf: (pod) => (isWaiting(pod) && pod.spec.nodeName !== undefined ? [pod.spec.nodeName] : []),
  keyFor: (node: string) => node,
  selectorFor: (node) => ({ fields: [`spec.nodeName=${node}`] })
})

// While a container that never ran waits, kubelet's getPhase says Pending. A Pod whose container had run and has lost its
// image is Running: its own events lead to it, of which there is one with each of kubelet's tries, every five minutes at
// least; and `podsWaitingInAnyPhase` finds it.
const pending = ["status.phase=Pending"]

/** The Pods of a namespace that wait for an image. */
export const podsWaitingIn = question({
  kind: pods,
  keysOf: (pod) => (isWaiting(pod) ? [pod.metadata.namespace ?? ""] : []),
  keyFor: (namespace: string) => namespace,
  selectorFor: (namespace) => ({ namespace, fields: pending })
})

/** All Pods that wait for an image. */
export const podsWaiting = question<Pod, void>({
  kind: pods,
  keysOf: (pod) => (isWaiting(pod) ? [""] : []),
  keyFor: () => "",
  selectorFor: () => ({ fields: pending })
})

/** The same with those that have run before. Without a cache this reads all Pods there are: only for now and then. */
export const podsWaitingInAnyPhase = (): Question<Pod> => ({ ...podsWaiting(), selector: {} })

/** The Pods of a namespace that are Pending. */
export const podsPendingIn = question({
  kind: pods,
  keysOf: (pod) => (pod.status?.phase === "Pending" ? [pod.metadata.namespace ?? ""] : []),
  keyFor: (namespace: string) => namespace,
  selectorFor: (namespace) => ({ namespace, fields: pending })
})

/** All Pods of a namespace. */
export const podsIn = inNamespace(pods)
/** Our Jobs, and our claims, in a namespace. */
export const jobsIn = inNamespace(jobs)
export const claimsIn = inNamespace(persistentVolumeClaims)
/** All NetworkPolicies of a namespace, of any origin. */
export const networkPoliciesIn = inNamespace(networkPolicies)
