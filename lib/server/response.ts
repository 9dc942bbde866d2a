/**
 * What a sender is told. Knative takes a 2xx with a body that is no CloudEvent
 * for a failure, follows 3xx, gives an event up after 500 without a second try,
 * and loses its dispatcher over an error with a body of more than 768 bytes
 * (knative/eventing 1.22, seen). So there are these six and no others.
 */

import { systemNamespace } from "../kubernetes/system-namespace.ts"

/** `message`: one sentence, for whoever looks at dead letters. */
export type Answer =
  | { readonly status: 204 }
  | { readonly status: 400 | 401 | 403 | 413; readonly message: string }
  | { readonly status: 503; readonly message: string; readonly retryAfterSeconds: number }

/** It was looked at, or there was nothing to look at. */
export const noContent: Answer = { status: 204 }

/** It is no CloudEvent, and will not become one. */
export const noCloudEvent = (message: string): Answer => ({ status: 400, message: `no CloudEvent: ${message}` })

/** Who sends it does not say who they are. */
export const notKnown = (audience: string): Answer => ({
  status: 401,
  message: `no token of this cluster for the audience ${audience}`
})

/** Who sends it may not. */
export const notAllowed = (name: string): Answer => ({
  status: 403,
  message: `${name} is not a ServiceAccount of ${systemNamespace}`
})

/** An API server stores 1.5 MiB of an object at most, unless etcd was told otherwise. */
export const maxBodyBytes = 1_572_864

export const tooLarge: Answer = { status: 413, message: `the event is larger than ${maxBodyBytes} bytes` }

export const full: Answer = { status: 503, message: "busy with other events", retryAfterSeconds: 1 }

export const unavailable = (retryAfterSeconds = 1): Answer => ({
  status: 503,
  message: "the cluster could not be read or written",
  retryAfterSeconds: Math.max(1, Math.ceil(retryAfterSeconds))
})

const maxMessageBytes = 500

/** Headers and body for an HTTP response. */
export const messageOf = (answer: Answer) => ({
  headers: answer.status === 503 ? { "retry-after": String(answer.retryAfterSeconds) } : {},
  // One character, one byte.
  body: answer.status === 204 ? "" : answer.message.replaceAll(/[^ -~]/g, "?").slice(0, maxMessageBytes)
})
