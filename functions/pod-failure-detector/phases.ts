/**
 * The Pod's wait for somebody to care ends when it is told of the NixBuild,
 * which is once for each Pod, also for those that join a NixBuild later.
 */
import type { Pod } from "../../lib/api/kubernetes.ts"
import type { Done } from "../../lib/interpret.ts"
import { sayingName } from "../../lib/say.ts"
import type { Phase } from "../../lib/traces/span.ts"
import type { Observed } from "./observe.ts"

export const phases = (
  { builds, pod, time }: typeof Observed.Type,
  done: ReadonlyArray<Done>
): ReadonlyArray<Phase> => {
  const told = done.flatMap(({ action, created }) =>
    action.action === "Create" && created !== undefined ? [action.object.metadata.name] : []
  )
  const { name, uid } = pod.metadata
  const from = failedSince(pod) ?? time
  return builds
    .filter((build) =>
      told.includes(sayingName({ about: pod.metadata, reason: "ImageBuilding", key: build.metadata.uid }))
    )
    .map((build) => {
      const { creationTimestamp = "" } = build.metadata
      return {
        name: "pod-waits",
        build,
        key: [uid],
        from,
        to: creationTimestamp < from ? time : creationTimestamp,
        attributes: { "k8s.pod.name": name, "k8s.pod.uid": uid, "k8s.node.name": pod.spec.nodeName }
      }
    })
}

// When a pull failed is written nowhere. It is tried once the Pod's sandbox is there, so this is some seconds early.
const failedSince = ({ metadata, status }: Pod): string | undefined =>
  status?.conditions?.find(({ status, type }) => type === "PodReadyToStartContainers" && status === "True")
    ?.lastTransitionTime ??
  status?.startTime ??
  metadata.creationTimestamp
