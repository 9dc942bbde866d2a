/** When the Pods of a node were woken for the image, and whether one that still waits tells that the image is gone. */
import type { Pod } from "../../lib/kubernetes/kinds.ts"
import type { NixBuild, NodeStatus } from "../../lib/api/nixbuild.ts"
import { secondsBetween } from "../../lib/kubernetes/time.ts"
import { isSameImage, waitingContainers } from "../../lib/nixbuild/waiting-pods.ts"
import { wakingFor } from "../../lib/nixbuild/waking.ts"

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

type Known = Pick<NodeStatus, "importedTime" | "wokenTime">

export const isMissed = ({ importedTime, wokenTime }: Known, { build, time, waiting }: Waiting): boolean =>
  importedTime !== undefined &&
  waiting.some((pod) => {
    const isAlone = waitingContainers(pod).every(({ image }) => isSameImage(image, build.spec.imageTag))
    const patienceSeconds = isAlone ? missedSeconds : missedAmongOthersSeconds
    const waking = wakingFor(pod, { build, importedTime })
    const since = waking?.wokenTime ?? wokenTime
    return waking !== undefined && since !== undefined && secondsBetween(since, time) >= patienceSeconds
  })

// By then pod-waker has been to them, with the sweep at the latest; so Pods that come one after the other are one write.
const newsSeconds = 30

/**
 * When the Pods that waited there were last woken. Those that are not yet are
 * woken now: with this write pod-waker sees that the image is there.
 */
export const wokenTimeOf = (
  { importedTime, wokenTime }: Known,
  { build, time, waiting }: Waiting
): Pick<NodeStatus, "wokenTime"> => {
  if (importedTime === undefined) return {}
  const [last] = waiting
    .flatMap((pod) => {
      const waking = wakingFor(pod, { build, importedTime })
      return waking === undefined ? [time] : (waking.wokenTime ?? [])
    })
    .toSorted()
    .reverse()
  const isNews = last !== undefined && (wokenTime === undefined || secondsBetween(wokenTime, last) >= newsSeconds)
  return isNews ? { wokenTime: last } : {}
}
