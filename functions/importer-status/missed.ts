/** Whether a node lost the image that it had. */
import type { Pod } from "../../lib/kubernetes/kinds.ts"
import type { NixBuild, NodeStatus } from "../../lib/api/nixbuild.ts"
import { secondsBetween } from "../../lib/kubernetes/time.ts"
import { isSameImage, waitingContainers } from "../../lib/nixbuild/waiting-pods.ts"
import { isWokenFor } from "../../lib/nixbuild/waking.ts"

// A Pod that was woken starts within a second or two. Only one that still waits this long after tells that the image
// is gone, so that an import and its echo are not mistaken for a loss.
const missedSeconds = 30

// kubelet says nothing new of a container while it pulls the image of another, which may take minutes.
const missedAmongOthersSeconds = 300

interface Waiting {
  readonly build: NixBuild
  readonly time: string
  readonly waiting: ReadonlyArray<Pod>
}

export const isMissed = (
  { importedTime, wokenTime }: Pick<NodeStatus, "importedTime" | "wokenTime">,
  { build, time, waiting }: Waiting
): boolean =>
  importedTime !== undefined &&
  wokenTime !== undefined &&
  waiting.some((pod) => {
    const isAlone = waitingContainers(pod).every(({ image }) => isSameImage(image, build.spec.imageTag))
    const patienceSeconds = isAlone ? missedSeconds : missedAmongOthersSeconds
    return isWokenFor(pod, { build, importedTime }) && secondsBetween(wokenTime, time) >= patienceSeconds
  })
