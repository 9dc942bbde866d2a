/** Observers of the functions, for metrics and traces; nothing that a function does depends on them. */
import { Context, Effect } from "effect"
import type { Action } from "./action.ts"
import type { ObjectMeta, Reference } from "../kubernetes/kind.ts"
import type { Event } from "../cloudevents/event.ts"
import type { Cluster } from "../kubernetes/cluster.ts"
import type { CloudEvent } from "./events.ts"
import type { Settings } from "../api/settings.ts"

/** An action that was carried out. */
export interface Applied {
  readonly action: Action<string>
  /** What was created; absent if it was there already. */
  readonly created?: ObjectMeta
}

/** How a decision to write ended. */
export type Outcome = "Done" | "Conflict" | "Refused" | "Failed"

/** One decision to write: what it was made from, and its result. */
export interface Run {
  /** The function's name. */
  readonly function: string
  readonly event: CloudEvent
  readonly subject: Reference
  readonly observed: unknown
  readonly actions: ReadonlyArray<Action<string>>
  /** Those of the actions that were carried out, in order. */
  readonly applied: ReadonlyArray<Applied>
  readonly outcome: Outcome
  /** When the reconciliation started that led to it. */
  readonly startMillis: number
}

/** An event that a function received, whether anything was reconciled or not. */
export interface Arrival {
  readonly function: string
  readonly event: CloudEvent
  /** What came with it, only to stop before anything is read. */
  readonly data?: Event["data"]
}

export interface Observer {
  readonly onRun?: (run: Run) => Effect.Effect<void>
  readonly onEvent?: (arrival: Arrival) => Effect.Effect<void, never, Cluster | Settings>
}

export class Observers extends Context.Reference<ReadonlyArray<Observer>>("enbi/lib/runtime/Observers", {
  defaultValue: () => []
}) {}

export const observeRun = (run: Run): Effect.Effect<void> =>
  Effect.flatMap(Observers, (observers) =>
    Effect.forEach(observers, ({ onRun }) => onRun?.(run) ?? Effect.void, { discard: true })
  )

export const observeEvent = (arrival: Arrival): Effect.Effect<void, never, Cluster | Settings> =>
  Effect.flatMap(Observers, (observers) =>
    Effect.forEach(observers, ({ onEvent }) => onEvent?.(arrival) ?? Effect.void, { discard: true })
  )
