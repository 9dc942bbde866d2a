/**
 * Every reason that a condition, an Event, a node or a failure can carry, each
 * in one row: what it means, what to do about it, and what to type and look
 * for. What else is asked of a reason is in its row too. `npm run generate`
 * makes `docs/reasons.md` of this, to which links are relative.
 *
 * In commands NAME is the NixBuild, run in its namespace; POD and NODE are
 * those that the message names.
 */
import { Record as Rec, Schema, Struct } from "effect"

interface Row {
  /** What it means, as sentences. */
  readonly what: string
  /** What to do about it, as sentences; absent: nothing. */
  readonly do?: string
  /** What to type, and what to look for in what is printed. */
  readonly look: string
  /** It may pass by itself, so it is tried again. */
  readonly isRetried?: true
  /** Something outside has to change before a build can start: it holds no slot meanwhile. */
  readonly isObstacle?: true
  /** A Job can end with it. */
  readonly isOfJob?: true
}

const uidOf = "$(kubectl get nixbuild NAME -o jsonpath={.metadata.uid})"
const jobOf = "$(kubectl get nixbuild NAME -o jsonpath={.status.buildJobName})"

const pod = "`kubectl describe pod POD` shows"
const nixBuild = "`kubectl describe nixbuild NAME` shows"
const buildLog = `\`kubectl logs job/${jobOf}\``
const importLog = `\`kubectl logs -n enbi-system -l enbi.hrzn.ee/nixbuild-uid=${uidOf} --tail=-1\``
const again = "`kubectl annotate nixbuild NAME --overwrite enbi.hrzn.ee/retry=$(date +%s)`"
// These fields of a NixBuild may change at any time: deleting it to create another would race with its Pod.
const change = (spec: string) => `\`kubectl patch nixbuild NAME --type=merge -p '{"spec":${spec}}'\``
const template = (field: string) =>
  `for later Pods, set the annotation enbi.hrzn.ee/nixbuild-${field} in their template`
const unsandboxed = `Or ${change('{"sandbox":false}')}; ${template("sandbox")}.`
const ours = "-n enbi-system -l app.kubernetes.io/managed-by=enbi-functions"
const nothing = "Nothing to do."

const rows = {
  AnnotationMissing: {
    what: "A container waits for an image, and the Pod lacks an annotation that is needed to build it.",
    do: "Add the annotation that the message names.",
    look: `${pod} which annotations enbi.hrzn.ee/nixbuild-… it has. Fix the Pod's template.`
  },
  AnnotationInvalid: {
    what: "An annotation that asks for a build is malformed, unknown, or names a container that the Pod does not have.",
    do: "Correct it as the message says.",
    look: `${pod} the annotations with nixbuild- in their names. Correct them in the Pod's template, or at once with \`kubectl annotate pod POD --overwrite KEY=VALUE\`.`
  },
  ImageNameInvalid: {
    what: "The name of an image of the registry does not say what is in it.",
    do: "Correct the image's name as the message says.",
    look: `${pod} Image. The parts of the name are packages, with shell, amd64 or arm64 in front: \`shell/git/jq\`. Fix the Pod's template.`
  },
  NixImageRefused: {
    what: "The API server rejects the NixImage for the image that the Pod waits for.",
    do: "Correct the image's name, or raise the quota; it is tried again every 30 s.",
    look: "`kubectl events --for pod/POD` shows the field and the rule, or the quota."
  },
  ImageTagDiffers: {
    what: "No container of the Pod uses the image that the annotation names.",
    do: "Make the two equal.",
    look: `${pod} Image, and the annotation enbi.hrzn.ee/nixbuild-imageTag. Fix the Pod's template.`
  },
  ImagePullPolicyAlways: {
    what: "With imagePullPolicy Always, the kubelet never uses an image that was built on the node.",
    do: "Set it to IfNotPresent.",
    look: "`kubectl get pod POD -o jsonpath='{.spec.containers[*].imagePullPolicy}'`. Fix the Pod's template; the tag `latest` means Always."
  },
  SystemUnknown: {
    what: "Nix does not know the architecture of the Pod's node.",
    do: "Run the Pod on another node.",
    look: "`kubectl get nodes -L kubernetes.io/arch`. Keep the Pod to other nodes by a nodeSelector."
  },
  ImageBuilding: {
    what: "A NixBuild builds the image that the Pod waits for.",
    look: `${nixBuild} Status, and its Events.`
  },
  NixBuildRefused: {
    what: "The API server rejects the NixBuild that the Pod's annotations ask for.",
    do: "Correct the annotations, or raise the quota; it is tried again every 30 s.",
    look: "`kubectl events --for pod/POD` shows the field and the rule, or the quota. Fix the annotations in the Pod's template; for a quota, `kubectl get nixbuilds` and delete those that are no longer needed."
  },
  NixBuildDeleted: {
    what: "The NixBuild that a Pod waits for was deleted. It will be created again at the time that the message says.",
    look: "Nothing to do. To use another one instead, run `kubectl create -f FILE` with a NixBuild of that name before that time."
  },
  NixBuildChanged: {
    what: "The NixBuild that a Pod asked for was edited. Its current spec is used; nothing to do.",
    look: `${nixBuild} Spec. To keep it, put it into the annotations of the Pod's template.`
  },
  NixBuildDiffers: {
    what: "A NixBuild with the name that is needed already exists, but builds something else.",
    do: "Delete it, and the right one is created.",
    look: `${nixBuild} Spec, and who created it. \`kubectl delete nixbuild NAME\`.`
  },
  NodeFound: { what: "A node was chosen.", look: nothing },
  NoMatchingNode: {
    what: "No node can build for this system.",
    do: "Add or uncordon a node, or check --node-repel.",
    look: `${nixBuild} what excludes each node. \`kubectl get nodes -L kubernetes.io/arch\`; \`kubectl uncordon NODE\`.`,
    isObstacle: true
  },
  NoFreeSlot: {
    what: "All build slots are in use. The build starts when one becomes free.",
    look: "`kubectl get nixbuilds -A --sort-by=.metadata.creationTimestamp` shows what is building and what waits, oldest first. More at once: `kubectl set env -n enbi-system deploy/enbi-functions MAX_BUILDS_PER_NODE=4`."
  },
  JobCreated: { what: "The build Job exists.", look: `To watch: ${buildLog} with \`-f\`.` },
  VolumePending: {
    what: "The node's cache volume is being prepared.",
    look: `If it stays: \`kubectl get jobs,pods ${ours}\`, and check why enbi-volume-… does not finish.`
  },
  VolumeFailed: {
    what: "The cache volume could not be prepared. The log of the Job in the message says why.",
    look: `${nixBuild} the commands for the log and for another try, in the message.`,
    isObstacle: true
  },
  BuildEgressInvalid: {
    what: "No build starts, because its network access cannot be limited as configured.",
    do: "Set the Namespace's annotation enbi.hrzn.ee/build-egress to public or open, or remove what blocks the NetworkPolicy enbi-build-egress.",
    look: "`kubectl annotate namespace NAMESPACE --overwrite enbi.hrzn.ee/build-egress=public`, or `=open`. `kubectl get networkpolicy -n NAMESPACE enbi-build-egress -o yaml` shows who owns it.",
    isObstacle: true
  },
  PodSecurityDenied: {
    what: "The namespace's Pod security level rejects the sandboxed build Pod.",
    do: "Set spec.sandbox to false, or build in a namespace that enforces the privileged level.",
    look: `\`kubectl get namespace NAMESPACE --show-labels\` shows pod-security.kubernetes.io/enforce. ${unsandboxed}`,
    isObstacle: true
  },
  SandboxUnavailable: {
    what: "Nix's sandbox needs user namespaces and an unmasked /proc, which this cluster or node does not provide.",
    do: "Enable user namespaces and ProcMountType, or set spec.sandbox to false.",
    look: `\`kubectl get nodes -o wide\`: Kubernetes 1.33, Linux 6.3 and containerd 2.0, or newer? ${unsandboxed}`,
    isObstacle: true,
    isOfJob: true
  },
  PodRefused: {
    what: "The API server rejects an object that the build needs in this namespace: a quota, a limit range or a policy forbids it, or the namespace is being deleted.",
    look: `${nixBuild} what rejects it. \`kubectl describe resourcequota,limitrange\`. The policy enbi-functions-images: [the builder's image](install.md#the-builders-image).`,
    isObstacle: true
  },
  PodUnschedulable: {
    what: "Kubernetes cannot schedule the Job's Pod.",
    do: "Free capacity on the node, or request less in spec.resources; it is tried again automatically.",
    look: `${nixBuild} the scheduler's words. \`kubectl describe node NODE\`: Allocated resources. Or ${change('{"resources":{"requests":{"memory":"1Gi"}}}')}; ${template("resources")}.`,
    isObstacle: true
  },
  PodImageUnavailable: {
    what: "The node cannot pull an image of the Job's Pod.",
    do: "Check BUILDER_IMAGE and the node's access to the registry; it is tried again automatically.",
    look: `${nixBuild} which image, and what the registry said. \`kubectl get configmap -n enbi-system enbi-builder -o yaml\`: [BUILDER_IMAGE](install.md#the-builders-image).`,
    isObstacle: true
  },
  PodNotStarted: {
    what: "Kubernetes cannot start the Job's Pod because of a volume, the sandbox or a container.",
    do: "Remove the cause; it is tried again automatically.",
    look: `${nixBuild} kubelet's words. \`kubectl describe node NODE\`: Conditions, Events.`,
    isObstacle: true
  },
  JobSuspended: {
    what: "The Job was suspended before it started, for example by a queueing system such as Kueue.",
    do: "Check what set spec.suspend.",
    look: `${nixBuild} which Job. \`kubectl get job JOB -n NAMESPACE -o yaml\`: spec.suspend, and who manages it.`,
    isObstacle: true
  },
  RequestRefused: {
    what: "The API server rejects a request of a function because of a quota, a policy or a webhook.",
    do: "Remove the cause; the request is repeated automatically.",
    look: `${nixBuild} which request, and what rejects it. \`kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations\`.`,
    isObstacle: true
  },
  // enbi's own words: tools may look for them.
  ResultSuccess: { what: "Build completed successfully and result was fetched from endpoint", look: nothing },
  BuildFinished: { what: "The build ended.", look: nothing },
  Imported: { what: "The image is on at least one of the nodes that want it.", look: nothing },
  ImagePulled: {
    what: "The image is on the node.",
    look: "Nothing to do. If the Pod does not start all the same: `kubectl describe pod POD`."
  },
  ImagePublished: { what: "The image registry has the image.", look: nothing },
  ImageServed: { what: "The image registry serves the image.", look: nothing },
  EvaluationFailed: {
    what: "Nix could not evaluate the flake.",
    do: "Fix the Nix code that the log points to.",
    look: `${buildLog} shows the trace; its end matters. \`nix eval FLAKE_URL#packages.SYSTEM.PACKAGE.drvPath\` should print the same error on your machine.`,
    isOfJob: true
  },
  AttributeMissing: {
    what: "The flake has no such package for this system.",
    do: "Check spec.packageName and spec.system.",
    look: `\`nix flake show FLAKE_URL\`: does it exist for this system? Then put the right name into the annotation of the Pod's template; for a NixBuild that you created, into its file, and \`kubectl replace --force -f FILE\`.`,
    isOfJob: true
  },
  FetchFailed: {
    what: "The flake, one of its inputs, or a file that the build downloads could not be fetched.",
    do: "Check spec.flakeUrl, the URL in the log, and the network.",
    look: `${buildLog} shows which URL. When it can be reached: ${again}. A signer that is not trusted: [certificates](network.md#certificates-and-proxies).`,
    isRetried: true,
    isOfJob: true
  },
  AddressClosed: {
    what: "Builds in this namespace are not allowed to connect to the address of something that they fetch.",
    do: "Fetch it from elsewhere, or allow the address with the Namespace's annotation enbi.hrzn.ee/build-egress or the setting BUILD_CLOSED_CIDRS.",
    look: `${nixBuild} which host, and the range that its address is in. \`kubectl annotate namespace NAMESPACE --overwrite enbi.hrzn.ee/build-egress=open\`, then ${again}; or [BUILD_CLOSED_CIDRS](network.md#what-builds-reach) without it.`,
    isOfJob: true
  },
  SourcePending: {
    what: "Waiting for the build node to resolve spec.flakeUrl. All nodes build the same source, so the others wait for that.",
    look: `To watch what it waits for: ${buildLog} with \`-f\`.`
  },
  SourceGone: {
    what: "The source that spec.flakeUrl was resolved to can no longer be fetched, and this NixBuild builds no other source.",
    do: "To build the current source, delete this NixBuild and create it again; to avoid this, put a rev into spec.flakeUrl.",
    look: `${nixBuild} both hashes. To build the current source: \`kubectl delete nixbuild NAME\`; one that a Pod waits for is created again after a minute and a half.`,
    isOfJob: true
  },
  SourceRefused: {
    what: "A build reported a source that does not match spec.flakeUrl, or not the one this NixBuild was resolved to.",
    do: "Correct spec.flakeUrl, or delete the NixBuild and create it again.",
    look: `${nixBuild} which URL, and what is wrong with it. \`nix flake metadata FLAKE_URL\` prints what it is resolved to.`,
    isObstacle: true,
    isOfJob: true
  },
  HashMismatch: {
    what: "The hash of a download differs from the one in its derivation.",
    do: "Update the hash, or find out why the file changed.",
    look: `${buildLog}: compare \`specified\` and \`got\`, then put the right hash into the flake.`,
    isOfJob: true
  },
  BuildFailed: {
    what: "The build itself failed; the log says why. If a program could not be run, the message names it. The failed Job and its Pod are kept so that you can read the log.",
    look: `${buildLog}. \`nix build FLAKE_URL#PACKAGE -L\` should fail the same way on your machine.`,
    isOfJob: true
  },
  TimedOut: {
    what: "The build took longer than spec.timeoutSeconds.",
    do: "Look in the log for what hangs, or raise spec.timeoutSeconds and request a retry.",
    look: `${buildLog} with \`--timestamps\`: the last lines before a long pause show what hangs. Or ${change('{"timeoutSeconds":7200}')}, then ${again}; ${template("timeoutSeconds")}.`,
    isOfJob: true
  },
  OutOfMemory: {
    what: "The build needed more memory than its limit.",
    do: "Raise spec.resources.limits.memory and request a retry.",
    look: `\`kubectl get nixbuild NAME -o jsonpath={.spec.resources}\`. Then ${change('{"resources":{"limits":{"memory":"8Gi"}}}')} and ${again}; ${template("resources")}.`,
    isOfJob: true
  },
  DiskFull: {
    what: "The node's disk or the cache volume is full.",
    do: "Free disk space.",
    look: `\`kubectl describe node NODE\`: DiskPressure; on the node \`df -h /var/lib/enbi\`. When there is space: ${again}.`,
    isRetried: true,
    isOfJob: true
  },
  NotAnImage: {
    what: "The package is not an image archive, an OCI layout or a script that streams an image; or containerd cannot read a field or unpack a layer of it. The message says which, and what to write instead.",
    look: `${nixBuild} what the package gave instead, or the field or file that is wrong. Fix the package.`,
    isOfJob: true
  },
  WrongArchitecture: {
    what: "The image's architecture differs from spec.system.",
    do: "Check the flake.",
    look: `${nixBuild} System, and the platform that the message found.`,
    isOfJob: true
  },
  ImportFailed: {
    what: "The image was built, but containerd did not accept it.",
    do: "Read the log of the import Job.",
    look: `${importLog}; on the node \`journalctl -u containerd\`. Then ${again}.`,
    isRetried: true,
    isOfJob: true
  },
  PublishFailed: {
    what: "The image was built, but the image registry did not take it.",
    do: "Check that the registry runs and has space; it is tried again automatically.",
    look: `${importLog}; \`kubectl get pods -n enbi-system\` and \`kubectl logs -n enbi-system deployment/image-registry\`. At once: ${again}.`,
    isRetried: true,
    isOfJob: true
  },
  Evicted: {
    what: "The Job's Pod was evicted from its node.",
    do: "Free capacity there, or lower spec.resources.",
    look: "`kubectl describe node NODE`: Conditions, Allocated resources.",
    isRetried: true
  },
  Interrupted: {
    what: "The Job's Pod was deleted or killed before it reported a result.",
    look: `\`kubectl describe nixbuild NAME\`; \`kubectl get events -A --field-selector involvedObject.kind=Pod\` shows what terminated it. Then ${again}.`,
    isRetried: true
  },
  NodeLost: {
    what: "The node disappeared, or was not Ready for five minutes, while a Job ran there.",
    do: "Check the node.",
    look: "`kubectl describe node NODE`: Conditions, Events.",
    isRetried: true
  },
  ImageVanished: {
    what: "The image was removed from the node although a Pod needs it. It is imported again.",
    look: "`kubectl describe node NODE`: DiskPressure, ImageGCFailed; on the node `crictl images`."
  },
  RetryPending: {
    what: "The failure may be temporary, so it is tried again at the time in the message.",
    look: `${nixBuild} when, and why. At once: ${again}.`
  },
  RetryRequested: { what: "The annotation enbi.hrzn.ee/retry requested another attempt.", look: nothing },
  TagConflict: {
    what: "The image tag belongs to another NixBuild or namespace.",
    do: "Use another tag, or delete the object that holds it.",
    look: `\`kubectl get nixbuilds -A\` shows who has the tag; \`kubectl get leases ${ours} -o yaml\` which namespaces use it, and its digests.`,
    isObstacle: true,
    isOfJob: true
  },
  ForbiddenContent: {
    what: "The image contains something that is not allowed on a node: a device, a FIFO, a setuid or setgid file, file capabilities, a path that escapes the image's root, or a reserved label.",
    do: "Remove what the message names.",
    look: `${nixBuild} which layer and entry. Remove it from the package.`,
    isOfJob: true
  },
  ImageTooLarge: {
    what: "The image has more bytes, layers or files than is allowed.",
    do: "Make it smaller.",
    look: `${nixBuild} which limit. \`nix path-info -rS FLAKE_URL#PACKAGE\` shows what is large in it.`,
    isOfJob: true
  },
  TagPending: {
    what: "The image tag belongs to another namespace, which is building its first image. When that is finished, this image is built and compared with it.",
    look: "`kubectl get nixbuilds -A` shows the build that the message names. If that build fails, the reason becomes TagConflict."
  },
  Pending: {
    what: "No function has processed it yet.",
    do: "If this lasts longer than a minute, check that the functions run.",
    look: "If it stays: `kubectl get pods -n enbi-system`, and the log of the functions."
  },
  Progressing: {
    what: "The image is being built, or imported on the nodes that want it.",
    look: `${nixBuild} Status, and its Events.`
  }
} as const satisfies Record<string, Row>

export const Reason = Schema.Literals(Struct.keys(rows)).annotate({
  description: "One of the CamelCase words in docs/reasons.md."
})
export type Reason = typeof Reason.Type

export const reasonTable: Readonly<Record<Reason, Row>> = rows

/** Each reason's sentences: what it means and what to do about it. */
export const reasons: Readonly<Record<Reason, string>> = Rec.map(reasonTable, (row) =>
  row.do === undefined ? row.what : `${row.what} ${row.do}`
)

type Having<Flag extends "isOfJob"> = {
  readonly [R in Reason]: (typeof rows)[R] extends { readonly [F in Flag]: true } ? R : never
}[Reason]

const has =
  (flag: "isRetried" | "isObstacle" | "isOfJob") =>
  (reason: Reason): boolean =>
    reasonTable[reason][flag] === true

/** It may pass by itself, so it is tried again. */
export const isRetried = has("isRetried")

/** Something outside has to change before a build can start: it holds no slot meanwhile. */
export const isObstacle = has("isObstacle")

const isOfJob = (reason: Reason): reason is Having<"isOfJob"> => has("isOfJob")(reason)

/** The reasons with which a Job can end. */
export const jobReasons: ReadonlyArray<Having<"isOfJob">> = Struct.keys(rows).filter(isOfJob)
