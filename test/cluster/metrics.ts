/** What a process tells Prometheus, as numbers: those of the API server, and those of the functions. */
import { Effect } from "effect"
import { kubectl } from "./kubectl.ts"

export interface Sample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

/** The text format: a name, perhaps labels in braces, a value; comments begin with #. */
export const parseSamples = (text: string): ReadonlyArray<Sample> =>
  text.split("\n").flatMap((line) => {
    const [, name, labels = "", value] = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)/.exec(line) ?? []
    if (name === undefined) return []
    const pairs = [...labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, key = "", text = ""]) => [key, text])
    return [{ name, labels: Object.fromEntries(pairs), value: Number(value) }]
  })

export const sumOf = (
  samples: ReadonlyArray<Sample>,
  name: string,
  isWanted: (labels: Sample["labels"]) => boolean = () => true
): number =>
  samples.filter((sample) => sample.name === name && isWanted(sample.labels)).reduce((sum, { value }) => sum + value, 0)

/** How many requests the API server has answered since it started, of those whose labels are wanted. */
export const apiServerRequests = (isWanted: (labels: Sample["labels"]) => boolean) =>
  Effect.map(kubectl("get", "--raw", "/metrics"), (text) =>
    sumOf(parseSamples(text), "apiserver_request_total", isWanted)
  )
