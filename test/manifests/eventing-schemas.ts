/**
 * What Knative Eventing's webhook takes of the fields that our manifests use,
 * and of no other field: `webhook.test.ts` compares it with what the real one
 * took and refused.
 */
import { Option, Schema } from "effect"
import { Annotations, Labels, Metadata, Name } from "./common-schemas.ts"

const optional = Schema.optionalKey

// The alphabet of attribute names is smaller than CloudEvents' own, which lets a digit come first.
const AttributeName = Schema.String.check(Schema.isPattern(/^[a-z][a-z0-9]*$/u))

const duration =
  /^-?P(?=\d|T\d)(\d+(\.\d+)?Y)?(\d+(\.\d+)?M)?(\d+(\.\d+)?W)?(\d+(\.\d+)?D)?(T(\d+(\.\d+)?H)?(\d+(\.\d+)?M)?(\d+(\.\d+)?S)?)?$/u
const Duration = Schema.String.check(Schema.isPattern(duration))
const TimeOut = Duration.check(Schema.isPattern(/[1-9]/u))

const ApiVersion = Schema.String.check(Schema.isPattern(/^([a-z0-9.-]+\/)?[a-z0-9]+$/u))
const Kind = Schema.String.check(Schema.isPattern(/^[A-Z][A-Za-z]*$/u))

const Destination = Schema.Struct({ ref: Schema.Struct({ apiVersion: ApiVersion, kind: Kind, name: Name }) })

const Delivery = Schema.Struct({
  retry: optional(Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))),
  backoffPolicy: optional(Schema.Literals(["linear", "exponential"])),
  backoffDelay: optional(Duration),
  timeout: optional(TimeOut),
  deadLetterSink: optional(Destination)
})

export const Trigger = Schema.Struct({
  apiVersion: Schema.Literal("eventing.knative.dev/v1"),
  kind: Schema.Literal("Trigger"),
  metadata: Metadata,
  spec: Schema.Struct({
    broker: Name,
    filter: optional(Schema.Struct({ attributes: optional(Schema.Record(AttributeName, Schema.String)) })),
    // Who the Broker's token is for, where Knative has authentication-oidc.
    subscriber: Schema.Struct({ ...Destination.fields, audience: optional(Schema.NonEmptyString) }),
    delivery: optional(Delivery)
  })
})

export const Broker = Schema.Struct({
  apiVersion: Schema.Literal("eventing.knative.dev/v1"),
  kind: Schema.Literal("Broker"),
  metadata: Schema.Struct({ ...Metadata.fields, annotations: optional(Annotations) }),
  // A Struct without fields would take any.
  spec: optional(Schema.Record(Schema.String, Schema.Never))
})

const Selector = Schema.Struct({ matchLabels: optional(Labels) })

export const ApiServerSource = Schema.Struct({
  apiVersion: Schema.Literal("sources.knative.dev/v1"),
  kind: Schema.Literal("ApiServerSource"),
  metadata: Metadata,
  spec: Schema.Struct({
    mode: optional(Schema.Literals(["Reference", "Resource"])),
    serviceAccountName: optional(Name),
    namespaceSelector: optional(Selector),
    resources: Schema.NonEmptyArray(
      Schema.Struct({ apiVersion: ApiVersion, kind: Kind, selector: optional(Selector) })
    ),
    sink: Destination
  })
})

const readJson = Schema.decodeUnknownOption(Schema.fromJsonString(Schema.Unknown))

export const PingSource = Schema.Struct({
  apiVersion: Schema.Literal("sources.knative.dev/v1"),
  kind: Schema.Literal("PingSource"),
  metadata: Metadata,
  spec: Schema.Struct({
    schedule: Schema.String.check(Schema.isPattern(/^([\d*/,-]+ ){4,5}[\d*/,-]+$/u)),
    contentType: optional(Schema.String.check(Schema.isPattern(/^[a-z]+\/[a-z+]+$/u))),
    data: optional(Schema.String),
    sink: Destination
  }).check(
    Schema.makeFilter(
      ({ contentType, data = "" }) => contentType !== "application/json" || Option.isSome(readJson(data)),
      {
        expected: "data of its content type"
      }
    )
  )
})
