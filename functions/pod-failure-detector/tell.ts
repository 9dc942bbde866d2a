/** Events on the Pod: each thing is said once, or as long as Kubernetes keeps the Event. */
import type { Action } from "../../lib/runtime/action.ts"
import type { Reason } from "../../lib/api/reasons.ts"
import { type NixBuild, nixBuilds } from "../../lib/api/nixbuild.ts"
import { say, sayingName } from "../../lib/runtime/event-recorder.ts"
import type { Observed } from "./observe.ts"
import { pods } from "../../lib/kubernetes/kinds.ts"

type World = Pick<typeof Observed.Type, "pod" | "said" | "time">

interface News {
  readonly reason: Reason
  readonly message: string
  /** What makes it another thing than the last of this reason. */
  readonly key: string
  /** The NixBuild that it tells of. */
  readonly build?: NixBuild
}

/** These need nobody to do anything. */
const normal: ReadonlyArray<Reason> = ["ImageBuilding", "NixBuildDeleted", "NixBuildChanged"]

export const tell = (world: World, { build, key, message, reason }: News): ReadonlyArray<Action> =>
  isTold(world, { reason, key }) === undefined
    ? [
        say({
          regarding: pods,
          about: world.pod.metadata,
          type: normal.includes(reason) ? "Normal" : "Warning",
          reason,
          message,
          time: world.time,
          key,
          ...(build === undefined ? {} : { related: { kind: nixBuilds, metadata: build.metadata } })
        })
      ]
    : []

/** The Event that says so, if it is there. */
export const isTold = ({ pod, said }: World, { key, reason }: Pick<News, "key" | "reason">) => {
  const name = sayingName({ about: pod.metadata, reason, key })
  return said.find((event) => event.name === name)
}
