/** Prometheus' text, read strictly: what it would refuse or misread is an error. */
import { Effect, Metric } from "effect"
import * as PrometheusMetrics from "effect/observability/PrometheusMetrics"

export interface Family {
  readonly help: string
  readonly type: string
  /** The value of each series, by its name and labels as written. */
  readonly samples: Map<string, number>
}

const series = /^([a-z_]+)(\{(?:[a-z_]+="(?:[^"\\\n]|\\.)*",?)*\})? ([0-9.e+-]+|NaN|[+-]Inf)$/

export const parse = (text: string): ReadonlyMap<string, Family> => {
  if (!text.endsWith("\n")) throw new Error("the last line has no end")
  const families = new Map<string, Family>()
  let help: readonly [string, string] = ["", ""]
  let current: readonly [string, Family] | undefined
  for (const line of text.slice(0, -1).split("\n")) {
    const [, keyword, name = "", rest = ""] = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line) ?? []
    if (keyword === "HELP") help = [name, rest]
    else if (keyword === "TYPE") {
      if (families.has(name)) throw new Error(`${name} comes twice`)
      current = [name, { help: help[0] === name ? help[1] : "", type: rest, samples: new Map() }]
      families.set(...current)
    } else {
      const [, base = "", labels = "", value = ""] = series.exec(line) ?? []
      const [family, { samples }] = current ?? ["", { samples: new Map<string, number>() }]
      if (base.replace(/_(bucket|sum|count)$/, "") !== family && base !== family) throw new Error(`astray: ${line}`)
      if (samples.has(base + labels)) throw new Error(`twice: ${line}`)
      samples.set(base + labels, Number(value))
    }
  }
  return families
}

/** A registry of its own for `self`, so that tests do not count for each other. */
export const withMetrics = <A, E, R>(self: Effect.Effect<A, E, R>) =>
  Effect.suspend(() => Effect.provideService(self, Metric.MetricRegistry, new Map()))

/** Every series whose value is not 0, buckets left out. */
export const counted = Effect.map(PrometheusMetrics.format(), (text) =>
  Object.fromEntries(
    [...parse(text === "" ? "\n" : text).values()]
      .flatMap(({ samples }) => [...samples])
      .filter(([name, value]) => value !== 0 && !name.includes("_bucket"))
  )
)
