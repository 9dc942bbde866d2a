/**
 * What `eventing/` and the contract ask of Knative, read as Knative's webhook
 * and controllers read it: defaults filled in, addresses resolved. What the
 * stand-ins would do otherwise than Knative is refused by name.
 */
import { Effect, Schema } from "effect"
import { parseAllDocuments } from "yaml"
import type { Delivery } from "./delivery.ts"
import { ApiServerSource, BrokerManifest, type Destination, PingSource, TriggerManifest } from "./manifest-schema.ts"

export class ManifestRefused extends Schema.TaggedError<ManifestRefused>()("ManifestRefused", {
  message: Schema.String
}) {}

export interface Broker {
  readonly namespace: string
  readonly name: string
  /** The sender is answered before anything is delivered. */
  readonly isAsync: boolean
}

export interface Trigger {
  readonly namespace: string
  readonly name: string
  readonly broker: string
  /** Attributes with exactly these values; none: every event. */
  readonly filter: Readonly<Record<string, string>>
  /** URL of the subscriber. */
  readonly subscriber: string
  readonly delivery: Delivery
}

export interface Manifests {
  readonly brokers: ReadonlyArray<Broker>
  readonly triggers: ReadonlyArray<Trigger>
  readonly apiServerSources: ReadonlyArray<ApiServerSource>
  readonly pingSources: ReadonlyArray<PingSource>
}

/** Where things are that a manifest only names. */
export interface Places {
  /** Of objects whose manifest names none. */
  readonly namespace: string
  /** URL of each Service that a Trigger refers to, by its name. */
  readonly services: Readonly<Record<string, string>>
}

/** All that Knative acts on in YAML texts; what belongs to others, such as a Role, is passed over. */
export const readManifests = Effect.fnUntraced(function* (texts: ReadonlyArray<string>, places: Places) {
  const objects = texts.flatMap((text) =>
    parseAllDocuments(text).flatMap((document): ReadonlyArray<unknown> => {
      const value: unknown = document.toJS()
      return isList(value) ? value.items : [value]
    })
  )
  const known = objects.filter(isKnative)
  const other = known.find(({ kind }) => !kinds.includes(kind))
  if (other !== undefined) return yield* refuse(other, "the stand-ins do nothing for this kind")
  const all = <A>(kind: string, decode: (object: unknown) => Effect.Effect<A, Schema.SchemaError>) =>
    Effect.forEach(
      known.filter((object) => object.kind === kind),
      (object) => Effect.mapError(decode(object), (error) => refuse(object, error.message))
    )
  const brokers = yield* all("Broker", decodeBroker)
  const triggers = yield* all("Trigger", decodeTrigger)
  const manifests: Manifests = {
    brokers: brokers.map(({ metadata }) => ({
      name: metadata.name,
      namespace: metadata.namespace ?? places.namespace,
      isAsync: metadata.annotations?.["messaging.knative.dev/async-handler"] === "true"
    })),
    triggers: yield* Effect.forEach(triggers, (trigger) => resolve(trigger, brokers, places)),
    apiServerSources: yield* all("ApiServerSource", decodeApiServerSource),
    pingSources: yield* all("PingSource", decodePingSource)
  }
  return manifests
})

const isList = Schema.is(Schema.Struct({ kind: Schema.Literal("List"), items: Schema.Array(Schema.Unknown) }))

const Head = Schema.Struct({
  apiVersion: Schema.String.check(Schema.isPattern(/\.knative\.dev\//)),
  kind: Schema.String,
  metadata: Schema.Struct({ name: Schema.String })
})
const isKnative = Schema.is(Head)

const kinds: ReadonlyArray<string> = ["Broker", "Trigger", "ApiServerSource", "PingSource"]
const options = { onExcessProperty: "error", errors: "all" } as const
const decodeBroker = Schema.decodeUnknownEffect(BrokerManifest, options)
const decodeTrigger = Schema.decodeUnknownEffect(TriggerManifest, options)
const decodeApiServerSource = Schema.decodeUnknownEffect(ApiServerSource, options)
const decodePingSource = Schema.decodeUnknownEffect(PingSource, options)

const refuse = ({ kind, metadata }: Pick<typeof Head.Type, "kind" | "metadata">, why: string) =>
  new ManifestRefused({ message: `${kind} ${metadata.name}: ${why}` })

const resolve = Effect.fnUntraced(function* (
  trigger: typeof TriggerManifest.Type,
  brokers: ReadonlyArray<typeof BrokerManifest.Type>,
  places: Places
) {
  const { metadata, spec } = trigger
  const namespace = metadata.namespace ?? places.namespace
  const broker = brokers.find(
    (one) => one.metadata.name === spec.broker && (one.metadata.namespace ?? places.namespace) === namespace
  )
  if (broker === undefined) return yield* refuse(trigger, `there is no Broker ${namespace}/${spec.broker}`)
  const find = (destination: Destination) => {
    const url = urlOf(destination, places)
    return url === undefined
      ? Effect.fail(refuse(trigger, `no URL is known of Service ${destination.ref?.name}`))
      : Effect.succeed(url)
  }
  // The block of the Trigger replaces the Broker's as a whole, but for the dead letter sink.
  const block = spec.delivery ?? broker.spec?.delivery ?? byDefault
  const sink = spec.delivery?.deadLetterSink ?? broker.spec?.delivery?.deadLetterSink
  const delivery: Delivery = {
    retry: block.retry ?? 0,
    backoffPolicy: block.backoffPolicy,
    backoffDelayMillis: millisOf(block.backoffDelay) ?? 0,
    timeoutMillis: millisOf(block.timeout),
    deadLetterSink: sink === undefined ? undefined : yield* find(sink),
    format: block.format ?? "binary"
  }
  const resolved: Trigger = {
    namespace,
    name: metadata.name,
    broker: spec.broker,
    filter: spec.filter?.attributes ?? {},
    subscriber: yield* find(spec.subscriber),
    delivery
  }
  return resolved
})

// What the webhook writes into a Broker that says nothing: 11 calls in 204.6 s.
const byDefault: NonNullable<(typeof TriggerManifest.Type)["spec"]["delivery"]> = {
  retry: 10,
  backoffPolicy: "exponential",
  backoffDelay: "PT0.2S"
}

const urlOf = ({ ref, uri }: Destination, { services }: Places): string | undefined => {
  if (ref === undefined) return uri
  const base = services[ref.name]
  return base === undefined || uri === undefined ? base : new URL(uri, base).href
}

const millisOf = (duration: string | undefined): number | undefined => {
  if (duration === undefined) return undefined
  const [, hours, minutes, seconds] = /^PT(?:([\d.]+)H)?(?:([\d.]+)M)?(?:([\d.]+)S)?$/.exec(duration) ?? []
  return Math.round(1000 * (3600 * Number(hours ?? 0) + 60 * Number(minutes ?? 0) + Number(seconds ?? 0)))
}
