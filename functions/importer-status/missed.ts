/** Whether a node lost the image that it had. */
import type { Pod } from "../../lib/api/kubernetes.ts"
import type { NodeStatus } from "../../lib/api/nixbuild.ts"
import { wokenAnnotation } from "../../lib/keys.ts"
import { secondsBetween } from "../../lib/time.ts"

// A Pod that was woken starts within a second or two. Only one that still waits this long after tells that the image
// is gone, so that an import and its echo are not mistaken for a loss.
const missedSeconds = 30

export const isMissed = (
  { importedTime, wokenTime }: Pick<NodeStatus, "importedTime" | "wokenTime">,
  { time, waiting }: { readonly time: string; readonly waiting: ReadonlyArray<Pod> }
): boolean =>
  importedTime !== undefined &&
  wokenTime !== undefined &&
  secondsBetween(wokenTime, time) >= missedSeconds &&
  waiting.some((pod) => pod.metadata.annotations?.[wokenAnnotation] === importedTime)
