/** A stand-in for an OpenTelemetry collector, on loopback: takes OTLP in JSON and keeps the spans. */
import { NodeHttpServer } from "@effect/platform-node"
import { ConfigProvider, Effect, Layer, Schema } from "effect"
import { HttpRouter, HttpServer, HttpServerRequest, HttpServerResponse } from "effect/http"
import { TestClock } from "effect/testing"
import { createServer } from "node:http"
import * as Telemetry from "../../lib/telemetry/observers.ts"
import { Traces } from "../../lib/telemetry/traces.ts"

const Attribute = Schema.Struct({
  key: Schema.String,
  value: Schema.Struct({
    stringValue: Schema.optionalKey(Schema.String),
    intValue: Schema.optionalKey(Schema.Union([Schema.String, Schema.Int]))
  })
})

const OtlpSpan = Schema.Struct({
  traceId: Schema.String.check(Schema.isPattern(/^[0-9a-f]{32}$/)),
  spanId: Schema.String.check(Schema.isPattern(/^[0-9a-f]{16}$/)),
  parentSpanId: Schema.optionalKey(Schema.String),
  name: Schema.String,
  kind: Schema.Literals([1, 5]),
  startTimeUnixNano: Schema.String,
  endTimeUnixNano: Schema.String,
  attributes: Schema.Array(Attribute),
  status: Schema.Struct({ code: Schema.Int, message: Schema.optionalKey(Schema.String) }),
  links: Schema.Array(Schema.Struct({ traceId: Schema.String, spanId: Schema.String }))
})

const Body = Schema.Struct({
  resourceSpans: Schema.Array(
    Schema.Struct({
      resource: Schema.Struct({ attributes: Schema.Array(Attribute) }),
      scopeSpans: Schema.Array(Schema.Struct({ spans: Schema.Array(OtlpSpan) }))
    })
  )
})

const decode = Schema.decodeUnknownEffect(Body)

/** A span as it arrived; times are seconds since 1970. */
export interface Received {
  readonly service: string
  readonly trace: string
  readonly span: string
  readonly parent: string | undefined
  readonly name: string
  readonly isDecision: boolean
  readonly from: number
  readonly to: number
  readonly attributes: Readonly<Record<string, string | number | undefined>>
  readonly failed: string | undefined
  readonly links: ReadonlyArray<{ readonly traceId: string; readonly spanId: string }>
}

const plain = (attributes: ReadonlyArray<typeof Attribute.Type>) =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, value.stringValue ?? Number(value.intValue)]))

const secondsOf = (nanos: string): number => Number(BigInt(nanos) / 1_000_000n) / 1000

const receivedOf = (service: string, span: typeof OtlpSpan.Type): Received => ({
  service,
  trace: span.traceId,
  span: span.spanId,
  parent: span.parentSpanId,
  name: span.name,
  isDecision: span.kind === 5,
  from: secondsOf(span.startTimeUnixNano),
  to: secondsOf(span.endTimeUnixNano),
  attributes: plain(span.attributes),
  failed: span.status.code === 2 ? span.status.message : undefined,
  links: span.links
})

/** `respond`: what it does with each request, once it has read it; by default it takes it. */
export const makeCollector = Effect.fnUntraced(function* (
  respond: Effect.Effect<HttpServerResponse.HttpServerResponse> = Effect.succeed(HttpServerResponse.jsonUnsafe({}))
) {
  const received: Array<Received> = []
  const requests: Array<string> = []
  const take = Effect.gen(function* () {
    const request = yield* HttpServerRequest.HttpServerRequest
    requests.push(`${request.method} ${request.url}`)
    const { resourceSpans } = yield* Effect.flatMap(request.json, decode)
    for (const { resource, scopeSpans } of resourceSpans) {
      const service = String(plain(resource.attributes)["service.name"])
      received.push(...scopeSpans.flatMap(({ spans }) => spans.map((span) => receivedOf(service, span))))
    }
    return yield* respond
  })
  const server = HttpRouter.serve(HttpRouter.add("*", "/*", take), {
    disableLogger: true,
    disableListenLog: true
  }).pipe(Layer.provideMerge(NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1" })))
  const context = yield* Layer.build(server)
  const url = yield* HttpServer.addressFormattedWith(Effect.succeed).pipe(Effect.provide(context))
  return { spans: received, requests, url }
})

export type Collector = Effect.Success<ReturnType<typeof makeCollector>>

const environment = (url: string | undefined) =>
  ConfigProvider.layer(ConfigProvider.fromUnknown(url === undefined ? {} : { OTEL_EXPORTER_OTLP_ENDPOINT: url }))

/** What a process has that gets this endpoint. Its clock stands still, so it sends when it ends and not before. */
export const tracesTo = (url: string | undefined, serviceName = "enbi-functions") =>
  Layer.merge(Traces.layer(serviceName), Telemetry.layer).pipe(
    Layer.provide([environment(url), TestClock.layer()]),
    Layer.fresh
  )

/** The same by the clock of the test. */
export const clockedTracesTo = (url: string) => Traces.layer("enbi-functions").pipe(Layer.provide(environment(url)))
