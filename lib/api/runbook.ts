/**
 * What to type when a reason turns up, beside what `condition.ts` says that it
 * means. NAME is the NixBuild, POD and NODE are those that the message names;
 * `npm run generate` puts the commands into `docs/reasons.md`, to which links are relative.
 */
import type { Reason } from "./condition.ts"

const uidOf = "$(kubectl get nixbuild NAME -o jsonpath={.metadata.uid})"
const jobOf = "$(kubectl get nixbuild NAME -o jsonpath={.status.buildJobName})"

const pod = "`kubectl describe pod POD`"
const nixBuild = "`kubectl describe nixbuild NAME`"
const buildLog = `\`kubectl logs job/${jobOf}\``
const importLog = `\`kubectl logs -n enbi-system -l enbi.hrzn.ee/nixbuild-uid=${uidOf} --tail=-1\``
const again = "`kubectl annotate nixbuild NAME --overwrite enbi.hrzn.ee/retry=$(date +%s)`"
// These fields of a NixBuild may change at any time: deleting it to create another would race with its Pod.
const change = (spec: string) => `\`kubectl patch nixbuild NAME --type=merge -p '{"spec":${spec}}'\``
const template = (field: string) => `for the next Pods, the annotation enbi.hrzn.ee/nixbuild-${field} in their template`
const unsandboxed = `Or ${change('{"sandbox":false}')}; ${template("sandbox")}.`
const ours = "-n enbi-system -l app.kubernetes.io/managed-by=enbi-functions"
const nothing = "Nothing to do."

/** One line for each reason: what to type, and what to look for in what is printed. */
export const runbook: Readonly<Record<Reason, string>> = {
  AnnotationMissing: `${pod}: the annotations enbi.hrzn.ee/nixbuild-… that are there. Mend the Pod's template.`,
  AnnotationInvalid: `${pod}: the annotations with nixbuild- in their names. Correct them in the Pod's template, or at once with \`kubectl annotate pod POD --overwrite KEY=VALUE\`.`,
  ImageTagDiffers: `${pod}: Image, and the annotation enbi.hrzn.ee/nixbuild-imageTag. Mend the Pod's template.`,
  ImagePullPolicyAlways:
    "`kubectl get pod POD -o jsonpath='{.spec.containers[*].imagePullPolicy}'`. Mend the Pod's template; the tag `latest` means Always.",
  SystemUnknown: "`kubectl get nodes -L kubernetes.io/arch`. Keep the Pod to other nodes by a nodeSelector.",
  ImageBuilding: `${nixBuild}: Status, and its Events.`,
  NixBuildRefused:
    "`kubectl events --for pod/POD`: the field and the rule, or the quota. Mend the annotations in the Pod's template; for a quota, `kubectl get nixbuilds` and delete what nobody needs.",
  NixBuildDeleted:
    "Nothing to do. To have another instead: `kubectl create -f FILE` with a NixBuild of that name before then.",
  NixBuildChanged: `${nixBuild}: Spec. To keep it, put it into the annotations of the Pod's template.`,
  NixBuildDiffers: `${nixBuild}: Spec, and whose it is. \`kubectl delete nixbuild NAME\`.`,
  NodeFound: nothing,
  NoMatchingNode: `${nixBuild}: what keeps each node away. \`kubectl get nodes -L kubernetes.io/arch\`; \`kubectl uncordon NODE\`.`,
  NoFreeSlot:
    "`kubectl get nixbuilds -A --sort-by=.metadata.creationTimestamp`: what builds, and who waits before it, the oldest first. More at once: `kubectl set env -n enbi-system deploy/enbi-functions MAX_BUILDS_PER_NODE=4`.",
  JobCreated: `To watch: ${buildLog} with \`-f\`.`,
  VolumePending: `If it stays: \`kubectl get jobs,pods ${ours}\`, and why enbi-volume-… does not end.`,
  VolumeFailed: `${nixBuild}: the message has the commands, for the log and for another try.`,
  BuildEgressInvalid:
    "`kubectl annotate namespace NAMESPACE --overwrite enbi.hrzn.ee/build-egress=public`, or `=open`. `kubectl get networkpolicy -n NAMESPACE enbi-build-egress -o yaml`: whose it is.",
  PodSecurityDenied: `\`kubectl get namespace NAMESPACE --show-labels\`: pod-security.kubernetes.io/enforce. ${unsandboxed}`,
  SandboxUnavailable: `\`kubectl get nodes -o wide\`: Kubernetes 1.33, Linux 6.3 and containerd 2.0, or newer? ${unsandboxed}`,
  PodRefused: `${nixBuild}: what refuses it. \`kubectl describe resourcequota,limitrange\`. The policy enbi-functions-images: [the builder's image](install.md#the-builders-image).`,
  PodUnschedulable: `${nixBuild}: the scheduler's words. \`kubectl describe node NODE\`: Allocated resources. Or ${change('{"resources":{"requests":{"memory":"1Gi"}}}')}; ${template("resources")}.`,
  PodImageUnavailable: `${nixBuild}: which image, and what the registry said. \`kubectl get configmap -n enbi-system enbi-builder -o yaml\`: [BUILDER_IMAGE](install.md#the-builders-image).`,
  PodNotStarted: `${nixBuild}: kubelet's words. \`kubectl describe node NODE\`: Conditions, Events.`,
  JobSuspended: `${nixBuild}: which Job. \`kubectl get job JOB -n NAMESPACE -o yaml\`: spec.suspend, and who manages it.`,
  RequestRefused: `${nixBuild}: which request, and who refuses it. \`kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations\`.`,
  ResultSuccess: nothing,
  BuildFinished: nothing,
  Imported: nothing,
  ImagePulled: `Nothing to do. If the Pod does not start all the same: ${pod}.`,
  EvaluationFailed: `${buildLog}: the end of the trace. \`nix eval FLAKE_URL#packages.SYSTEM.PACKAGE.drvPath\` says the same elsewhere.`,
  AttributeMissing: `\`nix flake show FLAKE_URL\`: is it there for this system? Then put the right name into the annotation of the Pod's template; for a NixBuild by hand into its file, and \`kubectl replace --force -f FILE\`.`,
  FetchFailed: `${buildLog}: which URL. When it can be reached: ${again}. A signer that is not trusted: [certificates](network.md#certificates-and-proxies).`,
  AddressClosed: `${nixBuild}: which host, and the range that its address is in. \`kubectl annotate namespace NAMESPACE --overwrite enbi.hrzn.ee/build-egress=open\`, then ${again}; or [BUILD_CLOSED_CIDRS](network.md#what-builds-reach) without it.`,
  SourcePending: `To watch what it waits for: ${buildLog} with \`-f\`.`,
  SourceGone: `${nixBuild}: both hashes. To build what is there now: \`kubectl delete nixbuild NAME\`; one that a Pod waits for is made again after a minute and a half.`,
  SourceRefused: `${nixBuild}: which URL, and what is wrong with it. \`nix flake metadata FLAKE_URL\` says what it is resolved to.`,
  HashMismatch: `${buildLog}: \`specified\` and \`got\`. Put the right hash into the flake.`,
  BuildFailed: `${buildLog}. \`nix build FLAKE_URL#PACKAGE -L\` fails alike elsewhere.`,
  TimedOut: `${buildLog} with \`--timestamps\`: where it stands still. Or ${change('{"timeoutSeconds":7200}')}, then ${again}; ${template("timeoutSeconds")}.`,
  OutOfMemory: `\`kubectl get nixbuild NAME -o jsonpath={.spec.resources}\`. Then ${change('{"resources":{"limits":{"memory":"8Gi"}}}')} and ${again}; ${template("resources")}.`,
  DiskFull: `\`kubectl describe node NODE\`: DiskPressure; on the node \`df -h /var/lib/enbi\`. When there is room: ${again}.`,
  NotAnImage: `${nixBuild}: what the package gave instead, or the field or file that is wrong. Mend the package.`,
  WrongArchitecture: `${nixBuild}: System, and the platform that the message found.`,
  ImportFailed: `${importLog}; on the node \`journalctl -u containerd\`. Then ${again}.`,
  Evicted: "`kubectl describe node NODE`: Conditions, Allocated resources.",
  Interrupted: `${nixBuild}; \`kubectl get events -A --field-selector involvedObject.kind=Pod\`: who ended it. Then ${again}.`,
  NodeLost: "`kubectl describe node NODE`: Conditions, Events.",
  ImageVanished: "`kubectl describe node NODE`: DiskPressure, ImageGCFailed; on the node `crictl images`.",
  RetryPending: `${nixBuild}: when, and why. At once: ${again}.`,
  RetryRequested: nothing,
  TagConflict: `\`kubectl get nixbuilds -A\`: who has the tag; \`kubectl get leases ${ours} -o yaml\`: which namespaces use it, and its digests.`,
  ForbiddenContent: `${nixBuild}: which layer and entry. Leave it out of the package.`,
  ImageTooLarge: `${nixBuild}: which limit. \`nix path-info -rS FLAKE_URL#PACKAGE\` shows what is large in it.`,
  TagPending: "`kubectl get nixbuilds -A`: the build that the message names. If it fails, this becomes TagConflict.",
  Pending: "If it stays: `kubectl get pods -n enbi-system`, and the log of the functions.",
  Progressing: `${nixBuild}: Status, and its Events.`
}
