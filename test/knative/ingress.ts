/**
 * The Broker's door: which request becomes an event, and what every other is
 * answered. Pure; `make-broker.ts` delivers what is admitted.
 */
import { type Event, faultOf, readEvent, withAttributes } from "./event.ts"
import { type Answer, answer, canonical, type Headers, type Request, valueOf } from "./http.ts"
import type { Broker } from "./manifests.ts"

/** An event that is to be delivered. */
export interface Admitted {
  readonly broker: Broker
  /** The URL that it came to, where replies go too. */
  readonly ingress: string
  /** As the channel carries it, and so a dead letter sink gets it: with the time of arrival and the passes left. */
  readonly event: Event
  /** Of the request's other headers those that subscribers get too. */
  readonly forwarded: Headers
}

const allow: Headers = [["Allow", "POST, OPTIONS"]]
const webhook: Headers = [
  ["Webhook-Allowed-Origin", "*"],
  ["Webhook-Allowed-Rate", "*"]
]

/** What the sender is told, without a body whatever happened. */
export const told = (status: number): Answer => answer(status, allow)

/** Looks at the method, the path, the Broker and the event, in this order. */
export const admit = (
  { body, headers, method, target }: Request,
  brokers: ReadonlyArray<Broker>,
  arrivalTime: string
): Admitted | Answer => {
  if (method === "OPTIONS") return answer(200, [...allow, ...webhook])
  if (method !== "POST") return told(405)
  const path = target.replace(/\?.*$/, "").replace(/\/$/, "")
  if (path === "") return told(404)
  const [, namespace, name] = /^\/([^/]+)\/([^/]+)$/.exec(path) ?? []
  if (name === undefined) return told(400)
  const broker = brokers.find((one) => one.namespace === namespace && one.name === name)
  if (broker === undefined) return told(404)
  const event = readEvent({ headers, body })
  if (event === undefined || faultOf(event) !== undefined) return told(400)
  const passes = passesOf(event)
  if (passes <= 0) return told(400)
  return {
    broker,
    ingress: `http://${valueOf(headers, "Host")}${path}`,
    event: withAttributes(event, { knativearrivaltime: arrivalTime, [passesLeft]: String(passes) }),
    forwarded: headers.filter(([header]) => isForwarded(canonical(header)))
  }
}

/** The extension that ends loops. Subscribers do not get it, but their replies do. */
export const passesLeft = "knativebrokerttl"

const maxPasses = 255

const passesOf = ({ attributes }: Event): number => {
  const given = attributes.get(passesLeft) ?? ""
  return /^-?\d+$/.test(given) ? Number(given) - 1 : maxPasses
}

const isForwarded = (name: string): boolean =>
  name === "X-Request-Id" || name === "Retry-After" || name.startsWith("Knative-") || name.startsWith("X-B3-")

/** What a subscriber gets of tracing: the trace that came, or a new one, and a span of its own. */
export const traceHeaders = (headers: Headers, fresh: { readonly trace: string; readonly span: string }): Headers => {
  const trace = /^00-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}$/.exec(valueOf(headers, "Traceparent") ?? "")?.[1]
  const state = trace === undefined ? undefined : valueOf(headers, "Tracestate")
  return [
    ["Traceparent", `00-${trace ?? fresh.trace}-${fresh.span}-01`],
    ...(state === undefined ? [] : [["Tracestate", state] as const])
  ]
}
