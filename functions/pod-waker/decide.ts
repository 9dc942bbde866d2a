/**
 * Wakes the Pods that wait for an image which is on their node by now: kubelet
 * looks again as soon as the Pod changes in any way, instead of at the end of
 * its back-off, which takes five minutes at worst. Sets no condition;
 * `importer-status` says that the image is there, and counts on the time of the
 * waking to tell that it was lost.
 */
import { type Action, isAbout, referTo } from "../../lib/runtime/action.ts"
import { wokenAnnotation } from "../../lib/api/annotations.ts"
import { pods } from "../../lib/kubernetes/kinds.ts"
import { isWokenFor, wokenFor } from "../../lib/nixbuild/waking.ts"
import type { Observed } from "./observe.ts"

export const decide = ({ build, nodes, pulled, refusals, time }: Observed): ReadonlyArray<Action> => {
  const arrival = build === undefined ? pulled : { ...build.metadata, imageTag: build.spec.imageTag }
  return arrival === undefined ? [] : wake(arrival, { nodes, refusals, time })
}

interface Arrived {
  readonly name: string
  readonly namespace?: string
  readonly imageTag: string
}

const wake = (
  { imageTag, ...metadata }: Arrived,
  { nodes, refusals, time }: Pick<Observed, "nodes" | "refusals" | "time">
): ReadonlyArray<Action> =>
  nodes
    .flatMap(({ importedTime, name, waiting }) =>
      waiting
        .filter((pod) => !isWokenFor(pod, { build: { metadata }, importedTime }))
        .map((pod): Action => ({
          action: "Patch",
          why: `${imageTag} is on ${name}`,
          target: referTo(pods, pod),
          patch: {
            metadata: { annotations: { [wokenAnnotation]: wokenFor(pod, { build: { metadata }, importedTime }, time) } }
          }
        }))
    )
    .filter((action) => refusals.every((refusal) => !isAbout(action, refusal)))
