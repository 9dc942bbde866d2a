/**
 * Where traces go: by OTLP to the collector that `OTEL_EXPORTER_OTLP_ENDPOINT`
 * names. The exporter is loaded only when that is set.
 */
import { Config, Context, Effect, Layer } from "effect"
import type { Export } from "./span.ts"

const endpoint = Config.String("OTEL_EXPORTER_OTLP_ENDPOINT").pipe(Config.withDefault(""))

/** Undefined while traces are disabled, so that no spans are made. */
export class Traces extends Context.Reference<Export | undefined>("enbi/lib/telemetry/Traces", {
  defaultValue: () => undefined
}) {
  /** `serviceName`: who exports; OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES say more, as OpenTelemetry has them. */
  static readonly layer = (serviceName: string) =>
    Layer.unwrap(
      Effect.gen(function* () {
        // To OpenTelemetry's environment variables empty is not set.
        if ((yield* endpoint) === "") return Layer.empty
        const url = yield* Config.URL("OTEL_EXPORTER_OTLP_ENDPOINT")
        const { makeExport, services } = yield* Effect.promise(() => import("./export.ts"))
        return Layer.effect(Traces, makeExport(url, serviceName)).pipe(Layer.provide(services))
      })
    )
}
