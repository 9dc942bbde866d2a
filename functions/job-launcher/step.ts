/** The next step on one node, and how far that is, for the condition. */
import type { Action } from "../../lib/runtime/action.ts"
import type { Reason } from "../../lib/api/reasons.ts"

export interface Step {
  readonly actions: ReadonlyArray<Action>
  readonly reason: Reason
  readonly message: string
  readonly buildJobName?: string
}

export interface NamedStep extends Step {
  /** The node's. */
  readonly name: string
  /** Its Job is there. */
  readonly isBegun: boolean
  /** It was refused when it was to be created, although a dry run said nothing. */
  readonly isRefused?: true
}

/** A build Job, made already or not yet. */
export interface AnnotatedJob {
  readonly metadata: {
    readonly name: string
    readonly namespace?: string | undefined
    readonly annotations?: Readonly<Record<string, string>>
  }
}

export const wait = (reason: Reason, message: string): Step => ({ actions: [], reason, message })
