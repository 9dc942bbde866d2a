/** Events on the Pod: each thing is recorded once, as long as Kubernetes keeps the Event. */
import type { Action } from "../../lib/runtime/action.ts"
import type { Reason } from "../../lib/api/reasons.ts"
import { type NixBuild, nixBuilds } from "../../lib/api/nixbuild.ts"
import { recordedEventName, recordEvent } from "../../lib/runtime/event-recorder.ts"
import type { Observed } from "./observe.ts"
import { pods } from "../../lib/kubernetes/kinds.ts"

type Input = Pick<Observed, "pod" | "said" | "time">

interface EventDetails {
  readonly reason: Reason
  readonly message: string
  /** What makes it another thing than the last of this reason. */
  readonly key: string
  /** The NixBuild that it is about. */
  readonly build?: NixBuild
}

/** These need no action. */
const normal: ReadonlyArray<Reason> = ["ImageBuilding", "NixBuildDeleted", "NixBuildChanged"]

export const record = (observed: Input, { build, key, message, reason }: EventDetails): ReadonlyArray<Action> =>
  findRecorded(observed, { reason, key }) === undefined
    ? [
        recordEvent({
          regarding: pods,
          about: observed.pod.metadata,
          type: normal.includes(reason) ? "Normal" : "Warning",
          reason,
          message,
          time: observed.time,
          key,
          ...(build === undefined ? {} : { related: { kind: nixBuilds, metadata: build.metadata } })
        })
      ]
    : []

/** The Event that says so, if it is there. */
export const findRecorded = ({ pod, said }: Input, { key, reason }: Pick<EventDetails, "key" | "reason">) => {
  const name = recordedEventName({ about: pod.metadata, reason, key })
  return said.find((event) => event.name === name)
}
