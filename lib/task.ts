/** A look that is to be taken. Looks at one object wait for each other, and those that wait are one. */
import type { Reference } from "./api/kind.ts"
import { type CloudEvent, isSweep } from "./events.ts"

export interface Task {
  readonly event: CloudEvent
  readonly subject: Reference
}

/** The same for all looks at one object. */
export const keyOf = ({ subject: { kind, name, namespace = "" } }: Task): string => `${kind}/${namespace}/${name}`

/** The first event that waits tells how late we are; but a sweep finds nothing that another event leads to. */
export const comesFirst = (task: Task, waiting: Task | undefined): boolean =>
  waiting === undefined || (isSweep(waiting.event) && !isSweep(task.event))
