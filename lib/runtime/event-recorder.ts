/** Records Kubernetes Events: what people read under `kubectl describe` of the object that they are about. */
import type { CoreV1Event } from "@kubernetes/client-node"
import type { Action } from "./action.ts"
import { type Reason, reasons } from "../api/reasons.ts"
import type { Kind, ObjectMeta } from "../kubernetes/kind.ts"
import { managedBy } from "../kubernetes/kinds.ts"
import { manifest } from "../kubernetes/manifest.ts"
import type { Refusal } from "./function.ts"
import { regardingLabel } from "../api/annotations.ts"
import { eventName } from "../api/names.ts"

export interface EventToRecord {
  readonly regarding: Kind
  readonly about: ObjectMeta
  readonly type: "Normal" | "Warning"
  readonly reason: Reason
  readonly message: string
  readonly time: string
  /** Distinguishes two Events of one reason; by default a reason is recorded once. */
  readonly key?: string
  /** What else it is about. */
  readonly related?: { readonly kind: Kind; readonly metadata: ObjectMeta }
}

export const recordedEventName = ({ about, key, reason }: Pick<EventToRecord, "about" | "key" | "reason">): string =>
  eventName(about, reason, key ?? "")

const referTo = ({ apiVersion, kind }: Kind, { name, namespace, uid }: ObjectMeta) => ({
  apiVersion,
  kind,
  ...(namespace === undefined ? {} : { namespace }),
  name,
  uid
})

// The API refuses longer ones in events.k8s.io, which is what tools read.
const maxMessage = 1000

export const recordEvent = (saying: EventToRecord): Action => {
  const { about, message, reason, regarding, related, time, type } = saying
  const namespace = about.namespace ?? "default"
  return {
    action: "Create",
    why: `Event on the ${regarding.kind}: ${reason}`,
    object: manifest<CoreV1Event>()({
      apiVersion: "v1",
      kind: "Event" as const,
      metadata: {
        name: recordedEventName(saying),
        namespace,
        labels: { ...managedBy, [regardingLabel]: about.uid }
      },
      involvedObject: { ...referTo(regarding, about), resourceVersion: about.resourceVersion },
      ...(related === undefined ? {} : { related: referTo(related.kind, related.metadata) }),
      type,
      reason,
      message: message.length > maxMessage ? `${message.slice(0, maxMessage - 1)}…` : message,
      count: 1,
      firstTimestamp: time,
      lastTimestamp: time,
      source: { component: "enbi-functions" },
      reportingComponent: "enbi-functions"
    })
  }
}

/** How a refusal is worded in conditions and Events. */
export const refusalWords = (
  { kind, message, name }: Pick<Refusal, "kind" | "message" | "name">,
  reason: Reason = "RequestRefused"
): string => `${reasons[reason]} ${kind} ${name}: ${message}`

export const recordRefusal = ({
  refusal,
  ...saying
}: Omit<EventToRecord, "message" | "reason" | "type"> & { readonly refusal: Refusal }) =>
  recordEvent({ ...saying, type: "Warning", reason: "RequestRefused", message: refusalWords(refusal) })
