/**
 * The Brokers and Triggers behind the captures, made again of what the captures
 * say. The contract tests run on them, on the stand-in or on a real Broker:
 *
 *     node test/knative/contract.ts | kubectl apply -f -     (namespace cap; Service `recorder` leads to this machine)
 *     BROKER_URL=http://<broker-ingress> RECORDER_HOST=0.0.0.0 RECORDER_PORT=8080 \
 *       npx vitest run --project unit --testTimeout 30000 --no-file-parallelism test/knative/contract
 *
 * Where BROKER_URL is set, tests wait for real, and those that kill Knative's
 * dispatcher are left out.
 */
import { Schema } from "effect"
import { Captured, readCapture, Sent } from "./captures.ts"

const DCase = Schema.Struct({
  case: Schema.String,
  note: Schema.optionalKey(Schema.String),
  /** In words, such as `retry 3, exponential, PT0.2S, timeout PT1S`. */
  delivery: Schema.String,
  deadLetterSink: Schema.Boolean,
  sent: Sent
})
export type DCase = typeof DCase.Type

export const dCases = readCapture("d-cases", DCase)
export const requests = [
  ...readCapture("b-broker", Captured),
  ...readCapture("d-requests", Captured),
  ...readCapture("e-requests", Captured)
]

const namespace = "cap"

const makeBroker = (name: string, annotations: Readonly<Record<string, string>> = {}) => ({
  apiVersion: "eventing.knative.dev/v1",
  kind: "Broker",
  metadata: { name, namespace, annotations }
})

const at = (uri: string) => ({ ref: { apiVersion: "v1", kind: "Service", name: "recorder" }, uri })

const trigger = (
  name: string,
  spec: { readonly broker: string; readonly attributes: Readonly<Record<string, string>>; readonly delivery?: object }
) => {
  const target = requests.find(({ label }) => label === name)?.target ?? `/${name}`
  const { attributes, broker, delivery } = spec
  return {
    apiVersion: "eventing.knative.dev/v1",
    kind: "Trigger",
    metadata: { name, namespace },
    spec: { broker, filter: { attributes }, subscriber: at(target), ...(delivery === undefined ? {} : { delivery }) }
  }
}

const exponential = { retry: 3, backoffPolicy: "exponential", backoffDelay: "PT0.2S" }

/** What the words say: the smallest back-off and the time-out. */
export const deliveryOf = ({ case: name, deadLetterSink, delivery }: Omit<DCase, "sent">) => {
  const [, retry] = /retry (\d+)/.exec(delivery) ?? []
  const [, backoffPolicy, backoffDelay] = /(exponential|linear), (PT[\d.]+S)/.exec(delivery) ?? []
  const [, timeout] = /timeout (PT[\d.]+S)/.exec(delivery) ?? []
  return {
    ...(retry === undefined ? {} : { retry: Number(retry) }),
    ...(backoffPolicy === undefined ? {} : { backoffPolicy, backoffDelay }),
    ...(timeout === undefined ? {} : { timeout }),
    ...(deadLetterSink ? { deadLetterSink: at(`/dls-${name}/204`) } : {})
  }
}

const dTriggers = [...new Map(dCases.map((row) => [row.case, row])).values()].map((row) =>
  trigger(row.case, { broker: "d", attributes: { type: row.case }, delivery: deliveryOf(row) })
)

const ofNixBuilds = { broker: "b", attributes: { kind: "NixBuild" } }
const ofAdds = { broker: "b", attributes: { kind: "NixBuild", type: "dev.knative.apiserver.resource.add" } }

export const manifests = [
  makeBroker("b"),
  makeBroker("d"),
  makeBroker("e"),
  makeBroker("slow"),
  makeBroker("asy", { "messaging.knative.dev/async-handler": "true" }),
  trigger("b-sub", ofNixBuilds),
  // These two were there for the first of the captured events only.
  trigger("b-json", { ...ofAdds, delivery: { ...exponential, format: "json" } }),
  trigger("b-failing", {
    ...ofAdds,
    delivery: { ...exponential, retry: 1, deadLetterSink: at("/dls-b-failing/204") }
  }),
  trigger("b-trace", { broker: "d", attributes: { type: "b-trace" } }),
  ...dTriggers,
  trigger("d-reply", { broker: "d", attributes: { type: "reply.type" } }),
  trigger("d-loop", { broker: "d", attributes: { type: "loop.type" }, delivery: { retry: 0 } }),
  trigger("e-default", { broker: "e", attributes: { type: "e-default" } }),
  trigger("e-async", { broker: "asy", attributes: { type: "e-async" }, delivery: exponential }),
  trigger("e-slow", { broker: "slow", attributes: { name: "s-1" } }),
  trigger("e-slowall", { broker: "slow", attributes: {} })
]

if (import.meta.main) console.log(JSON.stringify({ apiVersion: "v1", kind: "List", items: manifests }, null, 2))
