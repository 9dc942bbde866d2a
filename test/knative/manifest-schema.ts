/** The fields of Knative's objects that the stand-ins know; a manifest with any other is refused. */
import { Schema } from "effect"

const Metadata = Schema.Struct({
  name: Schema.NonEmptyString,
  namespace: Schema.optionalKey(Schema.NonEmptyString),
  labels: Schema.optionalKey(Schema.Unknown),
  annotations: Schema.optionalKey(Schema.Record(Schema.String, Schema.String))
})

const Destination = Schema.Struct({
  ref: Schema.optionalKey(
    Schema.Struct({
      apiVersion: Schema.NonEmptyString,
      kind: Schema.Literal("Service"),
      name: Schema.NonEmptyString,
      namespace: Schema.optionalKey(Schema.NonEmptyString)
    })
  ),
  /** Absolute, or below the URL of `ref`. */
  uri: Schema.optionalKey(Schema.NonEmptyString)
}).check(
  Schema.makeFilter(({ ref, uri }) => ref !== undefined || uri?.includes("://") === true || "neither ref nor URL")
)
export type Destination = typeof Destination.Type

const Duration = Schema.String.check(Schema.isPattern(/^PT(?=[\d.])([\d.]+H)?([\d.]+M)?([\d.]+S)?$/))

const Delivery = Schema.Struct({
  retry: Schema.optionalKey(Schema.Int),
  backoffPolicy: Schema.optionalKey(Schema.Literals(["exponential", "linear"])),
  backoffDelay: Schema.optionalKey(Duration),
  timeout: Schema.optionalKey(Duration),
  deadLetterSink: Schema.optionalKey(Destination),
  format: Schema.optionalKey(Schema.Literals(["binary", "json"]))
})

export const BrokerManifest = Schema.Struct({
  apiVersion: Schema.Literal("eventing.knative.dev/v1"),
  kind: Schema.Literal("Broker"),
  metadata: Metadata,
  spec: Schema.optionalKey(
    Schema.Struct({ config: Schema.optionalKey(Schema.Unknown), delivery: Schema.optionalKey(Delivery) })
  )
})

// Exact values that are not empty are what all brokers do alike; `filters` they do not.
const Filter = Schema.Struct({
  attributes: Schema.optionalKey(Schema.Record(Schema.String, Schema.NonEmptyString))
})

export const TriggerManifest = Schema.Struct({
  apiVersion: Schema.Literal("eventing.knative.dev/v1"),
  kind: Schema.Literal("Trigger"),
  metadata: Metadata,
  spec: Schema.Struct({
    broker: Schema.NonEmptyString,
    filter: Schema.optionalKey(Filter),
    subscriber: Destination,
    delivery: Schema.optionalKey(Delivery)
  })
})

const Selector = Schema.Struct({
  matchLabels: Schema.optionalKey(Schema.Record(Schema.String, Schema.String)),
  matchExpressions: Schema.optionalKey(
    Schema.Array(
      Schema.Struct({
        key: Schema.NonEmptyString,
        operator: Schema.Literals(["In", "NotIn", "Exists", "DoesNotExist"]),
        values: Schema.optionalKey(Schema.Array(Schema.String))
      })
    )
  )
})
export type Selector = typeof Selector.Type

const Overrides = Schema.optionalKey(
  Schema.Struct({ extensions: Schema.optionalKey(Schema.Record(Schema.String, Schema.String)) })
)

export const ApiServerSource = Schema.Struct({
  apiVersion: Schema.Literal("sources.knative.dev/v1"),
  kind: Schema.Literal("ApiServerSource"),
  metadata: Metadata,
  spec: Schema.Struct({
    mode: Schema.optionalKey(Schema.Literals(["Reference", "Resource"])),
    resources: Schema.NonEmptyArray(
      Schema.Struct({
        apiVersion: Schema.NonEmptyString,
        kind: Schema.NonEmptyString,
        selector: Schema.optionalKey(Selector)
      })
    ),
    serviceAccountName: Schema.optionalKey(Schema.String),
    /** Absent: the source's own namespace. Empty: all. */
    namespaceSelector: Schema.optionalKey(Schema.Record(Schema.String, Schema.Never)),
    ceOverrides: Overrides,
    sink: Schema.Unknown
  })
})
export type ApiServerSource = typeof ApiServerSource.Type

export const PingSource = Schema.Struct({
  apiVersion: Schema.Literal("sources.knative.dev/v1"),
  kind: Schema.Literal("PingSource"),
  metadata: Metadata,
  spec: Schema.Struct({
    schedule: Schema.NonEmptyString,
    contentType: Schema.optionalKey(Schema.String),
    data: Schema.optionalKey(Schema.String),
    ceOverrides: Overrides,
    sink: Schema.Unknown
  })
})
export type PingSource = typeof PingSource.Type
