/** The dashboard and the alert rules use the metrics that are there, with their labels, in PromQL that can be read. */
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, FileSystem, Schema } from "effect"
import { parse } from "yaml"
import { metrics } from "../../lib/telemetry/metrics.ts"
import { mistakesIn } from "./promql.ts"

const Rule = Schema.Struct({
  alert: Schema.String.check(Schema.isPattern(/^Enbi[A-Za-z]+$/)),
  expr: Schema.NonEmptyString,
  for: Schema.optionalKey(Schema.String.check(Schema.isPattern(/^\d+[mh]$/))),
  labels: Schema.Struct({ severity: Schema.Literals(["critical", "warning"]) }),
  annotations: Schema.Struct({ summary: Schema.NonEmptyString, runbook: Schema.NonEmptyString })
})

const Rules = Schema.Struct({
  apiVersion: Schema.Literal("monitoring.coreos.com/v1"),
  kind: Schema.Literal("PrometheusRule"),
  metadata: Schema.Struct({
    name: Schema.String,
    namespace: Schema.String,
    labels: Schema.Record(Schema.String, Schema.String)
  }),
  spec: Schema.Struct({ groups: Schema.Array(Schema.Struct({ name: Schema.String, rules: Schema.Array(Rule) })) })
})

const Dashboard = Schema.Struct({
  title: Schema.String,
  panels: Schema.Array(
    Schema.Struct({
      id: Schema.Int,
      title: Schema.NonEmptyString,
      description: Schema.NonEmptyString,
      targets: Schema.Array(Schema.Struct({ refId: Schema.String, expr: Schema.NonEmptyString }))
    })
  )
})

const read = (name: string) =>
  Effect.flatMap(FileSystem.FileSystem, (files) => files.readFileString(`observability/${name}`))

const readRules = read("alerts.yaml").pipe(
  Effect.flatMap((text) =>
    Schema.decodeUnknownEffect(Rules, { onExcessProperty: "error", errors: "all" })(parse(text))
  ),
  Effect.map(({ spec }) => spec.groups.flatMap(({ rules }) => rules))
)

const readPanels = Effect.map(
  Effect.flatMap(read("dashboard.json"), Schema.decodeEffect(Schema.fromJsonString(Dashboard))),
  ({ panels }) => panels
)

describe("observability", () => {
  it.effect("each alert has a name of its own, a summary, a runbook, and an expression that means something", () =>
    Effect.gen(function* () {
      const rules = yield* readRules
      assert.strictEqual(new Set(rules.map(({ alert }) => alert)).size, rules.length)
      for (const { alert, annotations, expr } of rules) {
        assert.deepStrictEqual(mistakesIn(expr), [], alert)
        assert.notInclude(annotations.runbook, "\n")
        for (const [, label = ""] of Object.values(annotations)
          .join(" ")
          .matchAll(/\$labels\.(\w+)/g)) {
          assert.match(expr, new RegExp(`by \\([^)]*\\b${label}\\b[^)]*\\)`), `${alert} has no label ${label}`)
        }
      }
    }).pipe(Effect.provide(NodeServices.layer))
  )

  it.effect("the dashboard shows every metric, and none that is not there", () =>
    Effect.gen(function* () {
      const panels = yield* readPanels
      const expressions = panels.flatMap(({ targets }) => targets.map(({ expr }) => expr))
      for (const expression of expressions) assert.deepStrictEqual(mistakesIn(expression), [], expression)
      const shown = Object.values(metrics).filter(({ id }) => expressions.some((text) => text.includes(id)))
      assert.lengthOf(shown, Object.keys(metrics).length)
      assert.strictEqual(new Set(panels.map(({ id }) => id)).size, panels.length)
    }).pipe(Effect.provide(NodeServices.layer))
  )

  const wrong: Record<string, readonly [expression: string, mistake: string]> = {
    "a metric that is not there": ["sum(rate(nixbuild_bilds_total[5m]))", "nixbuild_bilds_total is no metric"],
    "a label that the metric has not": [
      'sum(rate(nixbuild_builds_total{reason="x"}[5m]))',
      "nixbuild_builds_total has no label reason"
    ],
    "a grouping by a label that it has not": [
      "sum by (verb) (rate(nixbuild_builds_total[5m]))",
      "no metric here has the label verb"
    ],
    "buckets of what has none": ["rate(nixbuild_builds_total_bucket[5m])", "nixbuild_builds_total_bucket is no metric"],
    "a histogram without what it is made of": [
      "sum(nixbuild_event_lag_seconds)",
      "nixbuild_event_lag_seconds is a histogram: _bucket, _sum or _count"
    ],
    "a counter that is not asked for its growth": [
      "sum(nixbuild_builds_total) > 5",
      "nixbuild_builds_total is asked for without rate or increase"
    ],
    "a word that PromQL has not": [
      "summ(rate(nixbuild_builds_total[5m]))",
      "summ is no word of PromQL that is used here"
    ],
    "a bracket that stays open": ["sum(rate(nixbuild_builds_total[5m])", "( is not closed"],
    "a bracket that closes another": ["sum(rate(nixbuild_builds_total[5m)])", ") closes ["]
  }
  for (const [what, [expression, mistake]] of Object.entries(wrong)) {
    it(`finds ${what}`, () => assert.include(mistakesIn(expression), mistake))
  }
})
