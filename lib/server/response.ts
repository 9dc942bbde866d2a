/**
 * The answers to a sender. Knative treats a 2xx whose body is not a CloudEvent
 * as a failure, follows 3xx, gives up an event after 500 without a second try,
 * and crashes its dispatcher on an error body of more than 768 bytes
 * (knative/eventing 1.22, seen). So there are these six and no others.
 */

import { systemNamespace } from "../kubernetes/system-namespace.ts"

/** `message`: one sentence, for readers of dead letters. */
export type Answer =
  | { readonly status: 204 }
  | { readonly status: 400 | 401 | 403 | 413; readonly message: string }
  | { readonly status: 503; readonly message: string; readonly retryAfterSeconds: number }

/** It was handled, or there was nothing to do. */
export const noContent: Answer = { status: 204 }

/** It is not a CloudEvent, so there is no use in sending it again. */
export const noCloudEvent = (message: string): Answer => ({ status: 400, message: `no CloudEvent: ${message}` })

/** The sender does not identify itself. */
export const notKnown = (audience: string): Answer => ({
  status: 401,
  message: `no token of this cluster for the audience ${audience}`
})

/** The sender is not allowed to. */
export const notAllowed = (name: string): Answer => ({
  status: 403,
  message: `${name} is not a ServiceAccount of ${systemNamespace}`
})

/** An API server stores at most 1.5 MiB of an object, unless etcd is configured otherwise. */
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
