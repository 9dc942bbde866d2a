/** What is wrong with a PromQL expression, as far as that can be said without Prometheus. */
import { metrics } from "../../lib/telemetry/metrics.ts"

const words = ["sum", "by", "rate", "increase", "deriv", "absent", "histogram_quantile", "and", "or", "unless", "le"]

interface Family {
  readonly type: string
  readonly labels: ReadonlyArray<string>
}

/** Each description names its labels: `result: …; system: …`. */
const families = new Map<string, Family>(
  Object.values(metrics).map(({ description = "", id, type }) => [
    id,
    { type, labels: [...description.matchAll(/(?:^|[.;] )([a-z]+): /g)].map(([, label = ""]) => label) }
  ])
)

export const mistakesIn = (expression: string): ReadonlyArray<string> => [
  ...bracketMistakes(expression),
  ...metricMistakes(expression),
  ...groupingMistakes(expression),
  ...wordMistakes(expression)
]

const closing: Readonly<Record<string, string>> = { ")": "(", "]": "[", "}": "{" }

const bracketMistakes = (expression: string): ReadonlyArray<string> => {
  const open: Array<string> = []
  const mistakes: Array<string> = []
  for (const character of expression.replaceAll(/"[^"]*"/g, '""')) {
    if ("([{".includes(character)) open.push(character)
    const expected = closing[character]
    if (expected === undefined) continue
    const last = open.pop()
    if (last !== expected) mistakes.push(`${character} closes ${last ?? "nothing"}`)
  }
  return [...mistakes, ...open.map((character) => `${character} is not closed`)]
}

const metricMistakes = (expression: string): ReadonlyArray<string> =>
  [...expression.matchAll(/(\w+\()?(nixbuild_\w+)(?:\{([^}]*)\})?/g)].flatMap(([, call = "", name = "", matchers]) => {
    const base = families.has(name) ? name : name.replace(/_(bucket|sum|count)$/, "")
    const family = families.get(base)
    if (family === undefined || (base !== name && family.type !== "Histogram")) return [`${name} is no metric`]
    if (base === name && family.type === "Histogram") return [`${name} is a histogram: _bucket, _sum or _count`]
    const isGrowth = call === "rate(" || call === "increase("
    const misused =
      call === "absent(" || isGrowth === (family.type !== "Gauge")
        ? []
        : [`${name} is asked for ${isGrowth ? "with" : "without"} rate or increase`]
    const labels = [...(matchers ?? "").matchAll(/(\w+)\s*(?:=~|!~|!=|=)\s*"/g)].map(([, label = ""]) => label)
    return [
      ...misused,
      ...labels.filter((label) => !family.labels.includes(label)).map((label) => `${name} has no label ${label}`)
    ]
  })

const groupingMistakes = (expression: string): ReadonlyArray<string> => {
  const used = [...families].filter(([id]) => expression.includes(id)).flatMap(([, { labels }]) => labels)
  return [...expression.matchAll(/by \(([^)]*)\)/g)]
    .flatMap(([, labels = ""]) => labels.split(/,\s*/))
    .filter((label) => label !== "le" && !used.includes(label))
    .map((label) => `no metric here has the label ${label}`)
}

/** What is left when metrics, texts, matchers, groupings, spans of time and Grafana's variables are taken out. */
const wordMistakes = (expression: string): ReadonlyArray<string> => {
  const rest = expression
    .replaceAll(/nixbuild_\w+|"[^"]*"|\{[^}]*\}|\[[^\]]*\]/g, " ")
    .replaceAll(/by \([^)]*\)/g, "by ")
  return (rest.match(/[A-Za-z_]\w*/g) ?? [])
    .filter((word) => !words.includes(word))
    .map((word) => `${word} is no word of PromQL that is used here`)
}
