/**
 * What a NixBuild says of itself: the types of its conditions, every reason
 * that a condition, an Event or a node can carry, and the one word that
 * `kubectl get` prints. People act on the sentences, so they say what to do.
 */
import { Schema, Struct } from "effect"
import { isTrue, makeConditionSchema } from "../conditions.ts"

export const ConditionType = Schema.Literals([
  "Scheduled",
  "Launched",
  "Success",
  "Complete",
  "Ready",
  "Stalled"
]).annotate({ description: "Scheduled, Launched, Success, Complete, Ready or Stalled." })
export type ConditionType = typeof ConditionType.Type

/** Each reason with one sentence on what it means and what to do about it. */
export const reasons = {
  AnnotationMissing:
    "A container waits for an image, and the Pod lacks an annotation that is needed to build it: add the one that the message names.",
  AnnotationInvalid:
    "An annotation that asks for a build can't be read, is not known, or is for a container that the Pod does not have: correct it as the message says.",
  ImageTagDiffers: "No container of the Pod has the image that its annotation names: make the two equal.",
  ImagePullPolicyAlways:
    "With imagePullPolicy Always the kubelet never uses an image that was built on the node: set IfNotPresent.",
  SystemUnknown: "The Pod's node has an architecture that Nix has no name for.",
  ImageBuilding: "A NixBuild builds the image that the Pod waits for.",
  NixBuildRefused:
    "The API server refuses the NixBuild that the Pod's annotations ask for: correct them, or make room, as the message says; it is tried again every 30 s.",
  NixBuildDeleted: "The NixBuild that a Pod waits for was deleted: the message says when it is made again.",
  NixBuildChanged: "Somebody changed the NixBuild that a Pod asked for, and what it has now counts: nothing to do.",
  NixBuildDiffers:
    "Under the name that the Pod's NixBuild gets is one that builds something else: delete it, and the right one is made.",
  NodeFound: "A node was chosen.",
  NoMatchingNode: "No node can build for the system: add one, uncordon one, or see --node-repel.",
  NoFreeSlot: "Other builds take all the slots: it starts when one of them ends.",
  JobCreated: "The build Job exists.",
  VolumePending: "The node's cache volume is being prepared.",
  VolumeFailed: "The cache volume could not be prepared: read the log of the Job that the message names.",
  BuildEgressInvalid:
    "What builds may reach can't be seen to, so none begins: set the Namespace's annotation enbi.hrzn.ee/build-egress to public or open, or make room for our NetworkPolicy, as the message says.",
  PodSecurityDenied:
    "The namespace's Pod security level refuses the sandboxed build Pod: set spec.sandbox to false, or build in a namespace that enforces privileged.",
  SandboxUnavailable:
    "The cluster or the node cannot give a Pod the namespaces that Nix's sandbox needs: enable user namespaces and ProcMountType, or set spec.sandbox to false.",
  PodRefused:
    "The namespace refuses what the build needs (a quota, a limit range, a policy, or it is being deleted): the message says which.",
  PodUnschedulable:
    "Kubernetes has no place for the Job's Pod, as the message says: make room on the node, or ask for less in spec.resources; it is tried again by itself.",
  PodImageUnavailable:
    "The node cannot pull an image of the Job's Pod, as the message says: check BUILDER_IMAGE and the node's registry access; it is tried again by itself.",
  PodNotStarted:
    "Kubernetes cannot start the Job's Pod, as the message says (a volume, a sandbox, a container): remove the cause; it is tried again by itself.",
  JobSuspended:
    "Something suspended the Job before it began, such as a queue of the cluster: see who set spec.suspend.",
  RequestRefused:
    "The API server refuses what a function asks for (a quota, a policy, a webhook), as the message says: remove the cause; it is asked again by itself.",
  ResultSuccess: "Build completed successfully and result was fetched from endpoint",
  BuildFinished: "The build ended.",
  Imported: "The image is on at least one of the nodes that want it.",
  ImagePulled: "The image is on the node.",
  EvaluationFailed: "Nix could not evaluate the flake: mend the Nix code that the log names.",
  AttributeMissing: "The flake has no such package for this system: check spec.packageName and spec.system.",
  FetchFailed:
    "The flake, one of its inputs or a download of the build could not be fetched: check spec.flakeUrl, the URL in the log, and the network.",
  AddressClosed:
    "What is to be fetched has an address that builds of the namespace may not connect to: fetch it from elsewhere, or have it opened by the Namespace's annotation enbi.hrzn.ee/build-egress or the setting BUILD_CLOSED_CIDRS.",
  SourcePending:
    "One source for all nodes: the node that builds resolves spec.flakeUrl first, and the others build that.",
  SourceGone:
    "The source that this NixBuild was resolved to can't be fetched any more, and none of its nodes builds another: delete it for a new one of today's source, or name a rev in spec.flakeUrl.",
  SourceRefused:
    "A build reported a source that spec.flakeUrl does not allow, or that is not this NixBuild's: correct spec.flakeUrl, or delete the NixBuild for a new one.",
  HashMismatch:
    "A download has another hash than its derivation says: update the hash, or find out who changed the file.",
  BuildFailed:
    "The build itself failed: the log says why, and the message names a program that could not be run; the failed Job and its Pod are kept for reading.",
  TimedOut:
    "The build took longer than spec.timeoutSeconds: find what hangs in the log, or raise spec.timeoutSeconds and ask for a retry.",
  OutOfMemory: "The build needed more memory than its limit: raise spec.resources.limits.memory and ask for a retry.",
  DiskFull: "The node's disk or the cache volume is full: make room.",
  NotAnImage:
    "The package is no image archive, OCI layout or script that streams one, or containerd could not read a field or unpack a layer of the image: the message says what, and what to write there.",
  WrongArchitecture: "The image is for another architecture than spec.system: check the flake.",
  ImportFailed: "The image was built but containerd did not take it: read the log of the import Job.",
  Evicted: "The Job's Pod was evicted from its node: make room there, or lower what the build asks for.",
  Interrupted: "The Job's Pod was deleted or killed before it could say why.",
  NodeLost: "The node was gone, or not Ready for five minutes, while a Job ran there: look after the node.",
  ImageVanished: "The image was on the node and is no longer, though a Pod wants it: it is brought there again.",
  RetryPending: "It failed in a way that may pass, so it is tried again: the message says when.",
  RetryRequested: "The annotation enbi.hrzn.ee/retry asked for another attempt.",
  TagConflict:
    "The image tag belongs to another NixBuild or namespace: use another tag, or delete what holds it, as the message says.",
  ForbiddenContent:
    "The image holds what may not come onto a node: a device, a FIFO, a setuid or setgid file, file capabilities, a name that climbs out, or a reserved label; the message says which: leave it out.",
  ImageTooLarge: "The image has more bytes, layers or files than a node may be filled with: make it smaller.",
  TagPending:
    "Another namespace has the image tag and is about to bring the first image under it: when that is known, this one is built and compared.",
  Pending: "No function has looked at it yet: if that lasts longer than a minute, see whether they run.",
  Progressing: "It is being built, or brought to the nodes that want it."
} as const

/** What has to change outside before a build can begin: it holds no slot meanwhile. */
export const obstacles: ReadonlyArray<keyof typeof reasons> = [
  "BuildEgressInvalid",
  "JobSuspended",
  "NoMatchingNode",
  "PodImageUnavailable",
  "PodNotStarted",
  "PodRefused",
  "PodSecurityDenied",
  "PodUnschedulable",
  "RequestRefused",
  "SandboxUnavailable",
  "SourceRefused",
  "TagConflict",
  "VolumeFailed"
]

export const Reason = Schema.Literals(Struct.keys(reasons)).annotate({
  description: "One of the CamelCase words in docs/reasons.md."
})
export type Reason = typeof Reason.Type

export const Condition = makeConditionSchema({ type: ConditionType, reason: Reason })
export type Condition = typeof Condition.Type

/**
 * What a NixBuild says before any function has looked at it: the CRD's default. Tools that wait for an object (kubectl
 * wait, Flux, Argo CD, Helm: kstatus) take one without `Ready` for finished.
 */
export const pending: Condition = {
  type: "Ready",
  status: "Unknown",
  reason: "Pending",
  message: "Waiting for the functions.",
  observedGeneration: 0,
  lastTransitionTime: "1970-01-01T00:00:00Z"
}

export const Phase = Schema.Literals(["Pending", "Scheduled", "Building", "Importing", "Succeeded", "Failed"])
export type Phase = typeof Phase.Type

/**
 * What `kubectl get` prints under STATUS:
 *
 * | Complete | Stalled | Success | Launched | Scheduled | word      |
 * |----------|---------|---------|----------|-----------|-----------|
 * | True     | True    |         |          |           | Failed    |
 * | True     | not     |         |          |           | Succeeded |
 * | not      |         | True    |          |           | Importing |
 * | not      |         | not     | True     |           | Building  |
 * | not      |         | not     | not      | True      | Scheduled |
 * | not      |         | not     | not      | not       | Pending   |
 */
export const phaseOf = (conditions: ReadonlyArray<Condition>): Phase => {
  if (isTrue(conditions, "Complete")) return isTrue(conditions, "Stalled") ? "Failed" : "Succeeded"
  if (isTrue(conditions, "Success")) return "Importing"
  if (isTrue(conditions, "Launched")) return "Building"
  return isTrue(conditions, "Scheduled") ? "Scheduled" : "Pending"
}
