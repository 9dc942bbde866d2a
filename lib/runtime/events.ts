/**
 * The CloudEvents that the functions listen to. Each says which object to check,
 * or that it is time to check all; what happened is read from the cluster.
 * Names and attributes are those of Knative's ApiServerSource and PingSource.
 */
import { Schema } from "effect"
import type { Kind } from "../kubernetes/kind.ts"

export const CloudEvent = Schema.Struct({
  specversion: Schema.Literal("1.0"),
  id: Schema.NonEmptyString,
  source: Schema.NonEmptyString,
  type: Schema.NonEmptyString,
  /** When it happened, RFC 3339: for measuring how late we are, and for no decision. */
  time: Schema.optionalKey(Schema.String),
  /** The trace that it belongs to, as W3C Trace Context writes it. */
  traceparent: Schema.optionalKey(Schema.String),
  /** Extensions of ApiServerSource: the object's kind, namespace and name. */
  kind: Schema.optionalKey(Schema.String),
  namespace: Schema.optionalKey(Schema.String),
  name: Schema.optionalKey(Schema.String)
})
export type CloudEvent = typeof CloudEvent.Type

/** What a Trigger asks of an event: these attributes with exactly these values. */
export type EventFilter = Readonly<Record<string, string>>

/** An object of this kind came, changed or went. */
export const changed = ({ kind }: Pick<Kind, "kind">): EventFilter => ({ kind })

/** Extensions of an event stand beside its other attributes, as Knative's filters see them. */
export const matches = (filter: EventFilter, event: CloudEvent): boolean => {
  const attributes: Readonly<Record<string, unknown>> = event
  return Object.entries(filter).every(([key, value]) => attributes[key] === value)
}

const verb = (event: CloudEvent): string | undefined => event.type.split(".").at(-1)

/** The object was created, or is reported for the first time. */
export const isAddition = (event: CloudEvent): boolean => verb(event) === "add"

/** The object has gone. */
export const isDeletion = (event: CloudEvent): boolean => verb(event) === "delete"

export const sweepType = "dev.knative.sources.ping"

/** Every 30 s: reconcile everything that is open, since events get lost. */
export const sweep: EventFilter = { type: sweepType }

export const isSweep = (event: CloudEvent): boolean => event.type === sweepType
