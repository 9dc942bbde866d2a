/** What is said where something keeps the next Job on a node from being made. */
import type { Action } from "../runtime/action.ts"
import { mergeNodes, type NixBuild, nixBuilds, type NodeStatus, nodeStatusOf } from "../api/nixbuild.ts"
import type { Refusal } from "../runtime/function.ts"
import { recordEvent, recordRefusal } from "../runtime/event-recorder.ts"
import { withoutSlots } from "./slots.ts"

interface Told {
  readonly build: NixBuild
  readonly time: string
}

/** What is new of it; that it goes on is said by the status. */
export const tellHold = ({ build, time }: Told, node: NodeStatus): ReadonlyArray<Action> =>
  node.message !== undefined && node.reason !== nodeStatusOf(build, node.name)?.reason
    ? [
        recordEvent({
          regarding: nixBuilds,
          about: build.metadata,
          type: "Warning",
          reason: node.reason,
          message: `On ${node.name}: ${node.message}`,
          time,
          key: node.name
        })
      ]
    : []

export const heldFields = ({ build }: Pick<Told, "build">, holds: ReadonlyArray<NodeStatus>) => {
  const names = holds.map(({ name }) => name)
  return holds.length === 0 ? {} : { nodes: mergeNodes(build, holds), ...withoutSlots(build, names) }
}

/** Of a status that cannot be written, which can report nothing itself. */
export const tellRefusal = ({ build, time }: Told, refusal: Refusal): ReadonlyArray<Action> =>
  refusal.isLasting ? [recordRefusal({ regarding: nixBuilds, about: build.metadata, refusal, time })] : []
