/**
 * The Pod's wait for somebody to care ends when it is told of the NixBuild,
 * which is once for each Pod, also for those that join a NixBuild later.
 */
import type { Pod } from "../../lib/api/kubernetes.ts"
import type { NixBuild } from "../../lib/api/nixbuild.ts"
import type { Done } from "../../lib/interpret.ts"
import type { Phase } from "../../lib/traces/span.ts"
import type { Observed } from "./observe.ts"

export const phases = ({ build, pod, time }: typeof Observed.Type, done: ReadonlyArray<Done>): ReadonlyArray<Phase> => {
  const isTold = done.some(
    ({ action, created }) =>
      action.action === "Create" && action.object["reason"] === "ImageBuilding" && created !== undefined
  )
  const made = done.find(({ action }) => action.action === "Create" && action.object.kind === "NixBuild")?.created
  const asked: Pick<NixBuild, "metadata"> | undefined = made === undefined ? build : { metadata: made }
  if (!isTold || asked === undefined) return []
  const { name, uid } = pod.metadata
  return [
    {
      name: "pod-waits",
      build: asked,
      key: [uid],
      from: failedSince(pod) ?? time,
      to: made?.creationTimestamp ?? time,
      attributes: { "k8s.pod.name": name, "k8s.pod.uid": uid, "k8s.node.name": pod.spec.nodeName }
    }
  ]
}

// When a pull failed is written nowhere. It is tried once the Pod's sandbox is there, so this is some seconds early.
const failedSince = ({ metadata, status }: Pod): string | undefined =>
  status?.conditions?.find(({ status, type }) => type === "PodReadyToStartContainers" && status === "True")
    ?.lastTransitionTime ??
  status?.startTime ??
  metadata.creationTimestamp
