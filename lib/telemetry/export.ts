/**
 * Sends spans to an OpenTelemetry collector by OTLP over HTTP, in JSON, every
 * few seconds and once more at the end. Nothing waits for it. While the
 * collector does not answer, spans are dropped and one log line says so.
 */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { Config, Effect, Layer, Schedule } from "effect"
import { HttpClient, HttpClientError, type HttpClientRequest } from "effect/http"
import * as OtlpExporter from "effect/observability/OtlpExporter"
import * as OtlpResource from "effect/observability/OtlpResource"
import * as OtlpSerialization from "effect/observability/OtlpSerialization"
import type { TraceData } from "effect/observability/OtlpTracer"
import { version } from "../version.ts"
import { millisOf } from "../kubernetes/time.ts"
import type { Export, Span } from "./span.ts"

const interval = "5 seconds"

// A NixBuild leaves about thirty spans of 1 KB, so a batch is 1 MB at most.
const maxSpansPerInterval = 1000

// Four tries of this length and what comes in meanwhile are the most that is kept in memory.
const requestTimeout = "2 seconds"

// Within the 30 s that Kubernetes gives a Pod to end, beside what it has under way.
const shutdownTimeout = "3 seconds"

// Much longer than events are late or come twice.
const maxRemembered = 4096

/** To the collector at `endpoint`, which gets what `serviceName` has to tell. */
export const makeExport = Effect.fnUntraced(function* (endpoint: URL, serviceName: string) {
  const name = yield* Config.String("OTEL_SERVICE_NAME").pipe(Config.withDefault(serviceName))
  const resource = yield* OtlpResource.fromConfig({ serviceName: name, serviceVersion: version })
  const { traces } = yield* OtlpSerialization.OtlpSerialization
  const exporter = yield* OtlpExporter.make({
    label: "enbi",
    url: `${endpoint.href.replace(/\/$/, "")}/v1/traces`,
    headers: undefined,
    exportInterval: interval,
    // One request at a time.
    maxBatchSize: "disabled",
    shutdownTimeout,
    body: (spans: Array<OtlpSpan>) => [
      traces({ resourceSpans: [{ resource, scopeSpans: [{ scope: { name: "enbi-functions", version }, spans }] }] }),
      Effect.void
    ]
  })
  // The exporter itself keeps whatever comes in until the next request.
  let room = maxSpansPerInterval
  yield* Effect.sync(() => {
    room = maxSpansPerInterval
  }).pipe(Effect.repeat(Schedule.spaced(interval)), Effect.forkScoped)
  const sent = new Set<string>()
  const exportSpans: Export = (spans) => {
    for (const span of spans) {
      if (room === 0) return
      if (sent.has(span.spanId)) continue
      room -= 1
      const [oldest] = sent.size < maxRemembered ? [] : sent
      if (oldest !== undefined) sent.delete(oldest)
      sent.add(span.spanId)
      exporter.push(makeOtlpSpan(span))
    }
  }
  return exportSpans
})

/** Each request has a timeout; the first failure after a success is logged. */
const Client = Layer.effect(
  HttpClient.HttpClient,
  Effect.gen(function* () {
    let isTold = false
    const tell = (why: string) => {
      if (isTold) return Effect.void
      isTold = true
      return Effect.logWarning("traces are not exported for the time being", why)
    }
    return HttpClient.transform(yield* HttpClient.HttpClient, (answer, request) =>
      answer.pipe(
        // A body that never ends would hold up all that comes after.
        Effect.tap((response) => response.arrayBuffer),
        Effect.timeoutOrElse({ duration: requestTimeout, orElse: () => Effect.fail(late(request)) }),
        Effect.tap(({ status }) => {
          if (status >= 400) return tell(`the collector answered ${status}`)
          isTold = false
          return Effect.void
        }),
        Effect.tapError((error) => tell(error.message))
      )
    )
  })
).pipe(Layer.provide(NodeHttpClient.layerNodeHttp))

const late = (request: HttpClientRequest.HttpClientRequest) =>
  new HttpClientError.HttpClientError({
    reason: new HttpClientError.TransportError({ request, description: `no answer within ${requestTimeout}` })
  })

/** The services that `makeExport` needs. */
export const services = Layer.mergeAll(OtlpExporter.layerFlusher, OtlpSerialization.layerJson, Client)

type OtlpSpan = TraceData["resourceSpans"][number]["scopeSpans"][number]["spans"][number]

// OTLP's numbers: SpanKind and Status.StatusCode of opentelemetry/proto/trace/v1.
const kinds = { internal: 1, consumer: 5 }
const ok = 1
const failed = 2

const makeOtlpSpan = (span: Span): OtlpSpan => ({
  traceId: span.traceId,
  spanId: span.spanId,
  parentSpanId: span.parentSpanId,
  name: span.name,
  kind: kinds[span.kind],
  startTimeUnixNano: nanosOf(span.startTime),
  endTimeUnixNano: nanosOf(span.endTime),
  attributes: OtlpResource.entriesToAttributes(
    Object.entries({ ...span.attributes, "error.type": span.error }).filter(([, value]) => value !== undefined)
  ),
  droppedAttributesCount: 0,
  events: [],
  droppedEventsCount: 0,
  status: span.error === undefined ? { code: ok } : { code: failed, message: span.error },
  links: span.link === undefined ? [] : [{ ...span.link, attributes: [], droppedAttributesCount: 0 }],
  droppedLinksCount: 0
})

const nanosOf = (time: string): string => `${millisOf(time)}000000`
