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
    const pairs = [...labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, key = "", label = ""]) => [key, label])
    return [{ name, labels: Object.fromEntries(pairs), value: Number(value) }]
  })

export const sumOf = (
  samples: ReadonlyArray<Sample>,
  name: string,
  isWanted: (labels: Sample["labels"]) => boolean = () => true
): number =>
  samples.filter((sample) => sample.name === name && isWanted(sample.labels)).reduce((sum, { value }) => sum + value, 0)

/** The API server's own numbers, since its process started. */
export const apiServerSamples = Effect.map(kubectl("get", "--raw", "/metrics"), parseSamples)

/** How many requests the API server has answered since it started, of those whose labels are wanted. */
export const apiServerRequests = (isWanted: (labels: Sample["labels"]) => boolean) =>
  Effect.map(apiServerSamples, (samples) => sumOf(samples, "apiserver_request_total", isWanted))

/** The functions' own numbers, since their process started. */
export const functionsSamples = Effect.gen(function* () {
  const ours = ["-n", "enbi-system", "-l", "app.kubernetes.io/name=enbi-functions"]
  const running = ["--field-selector=status.phase=Running", "-o", "jsonpath={.items[0].metadata.name}"]
  const name = yield* kubectl("get", "pods", ...ours, ...running)
  return parseSamples(yield* kubectl("get", "--raw", `/api/v1/namespaces/enbi-system/pods/${name}:8080/proxy/metrics`))
})

const writingVerbs = ["POST", "PUT", "PATCH", "DELETE"]

/** Whether a request, as its labels tell, asks for a change. */
export const isWrite = ({ dry_run = "", verb = "" }: Sample["labels"]): boolean =>
  dry_run === "" && writingVerbs.includes(verb)
