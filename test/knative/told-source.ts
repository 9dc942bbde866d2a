/** The source on an API server that tells of exactly what a test says, sending to a recorder. */
import { Duration, Effect, Queue, Schema, Stream } from "effect"
import { KubernetesObject } from "../../lib/kubernetes/kind.ts"
import { KubernetesApi } from "../../lib/kubernetes/connection.ts"
import { KubernetesError } from "../../lib/kubernetes/error.ts"
import { type Change, readChange } from "../../lib/kubernetes/watch.ts"
import type { Captured } from "./captures.ts"
import { type Answer, valueOf } from "./http.ts"
import { makeSource } from "./make-source.ts"
import { readManifests } from "./manifests.ts"
import { makeRecorder, makeTime } from "./recorder.ts"
import { Wait } from "./time.ts"

const resourceOf = (kind: string, name: string, namespaced = true) => ({ kind, name, namespaced })

const discovery: Readonly<Record<string, object>> = {
  "/api/v1": {
    resources: [
      resourceOf("Pod", "pods/status"),
      resourceOf("Pod", "pods"),
      resourceOf("ConfigMap", "configmaps"),
      resourceOf("Node", "nodes", false)
    ]
  },
  "/apis/batch/v1": { resources: [resourceOf("Job", "jobs")] },
  "/apis/enbi.hrzn.ee/v1alpha1": { resources: [resourceOf("NixBuild", "nixbuilds")] }
}

const missing = (path: string) =>
  new KubernetesError({ status: 404, reason: "NotFound", message: `nothing is at ${path}` })

const makeApi = () => {
  const watches = new Map<string, Queue.Queue<Change<unknown>>>()
  const followed: Array<string> = []
  const watchAt = Effect.fnUntraced(function* (path: string) {
    const there = watches.get(path) ?? (yield* Queue.unbounded<Change<unknown>>())
    watches.set(path, there)
    return there
  })
  const api = KubernetesApi.of({
    request: (_, path) => (path in discovery ? Effect.succeed(discovery[path]) : Effect.fail(missing(path))),
    list: () => Effect.die(new Error("the source leaves that to its watch")),
    follow: (path, { labelSelector }, read) =>
      Stream.unwrap(
        Effect.map(watchAt(path), (changes) => {
          followed.push(labelSelector === undefined ? path : `${path}?${labelSelector}`)
          return Stream.map(Stream.fromQueue(changes), readChange(read))
        })
      )
  })
  const tell = Effect.fnUntraced(function* (path: string, change: Change<unknown>) {
    yield* Queue.offer(yield* watchAt(path), change)
  })
  /** What nobody has taken yet, which nobody then will. */
  const forget = Effect.fnUntraced(function* (path: string) {
    return (yield* Queue.clear(yield* watchAt(path))).length
  })
  return { api, followed, tell, forget }
}

const pathOf = ({ apiVersion, kind }: KubernetesObject): string => {
  const known = Schema.decodeUnknownSync(
    Schema.Struct({ resources: Schema.Array(Schema.Struct({ kind: Schema.String, name: Schema.String })) })
  )
  const root = apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`
  const { resources } = known(discovery[root])
  return `${root}/${resources.findLast((one) => one.kind === kind)?.name}`
}

export const source = (name: string, spec: object) => ({
  apiVersion: "sources.knative.dev/v1",
  kind: "ApiServerSource",
  metadata: { name, namespace: "cap" },
  spec: { namespaceSelector: {}, sink: {}, ...spec }
})

interface Options {
  readonly manifests: ReadonlyArray<object>
  readonly sink: string
  readonly wait: (millis: number) => Effect.Effect<void>
}

/** Runs the source until the scope ends. */
export const tellingSource = Effect.fnUntraced(function* ({ manifests, sink, wait }: Options) {
  const { api, followed, forget, tell } = makeApi()
  const { apiServerSources, pingSources } = yield* readManifests(
    manifests.map((manifest) => JSON.stringify(manifest)),
    { namespace: "cap", services: {} }
  )
  const running = yield* makeSource({
    apiServerSources,
    pingSources,
    sink,
    origin: { namespace: "cap", apiServer: "https://10.96.0.1:443" },
    pingInterval: Duration.seconds(10)
  }).pipe(Effect.provideService(KubernetesApi, api), Effect.provideService(Wait, wait))
  return {
    ...running,
    /** The paths that were listed and watched so far. */
    followed,
    list: (...objects: readonly [KubernetesObject, ...ReadonlyArray<KubernetesObject>]) =>
      tell(pathOf(objects[0]), { _tag: "Listed", items: objects, resourceVersion: "1" }),
    /** How many changes like this one were told and not taken; they are gone. */
    forget: (object: KubernetesObject) => forget(pathOf(object)),
    change: (verb: "ADDED" | "MODIFIED" | "DELETED", object: KubernetesObject) =>
      tell(pathOf(object), { _tag: verb, object })
  }
})

interface Recorded {
  readonly manifests: ReadonlyArray<object>
  /** Path of the sink. */
  readonly target: string
  readonly respond: (label: string, index: number) => Effect.Effect<Answer | "reset">
}

/** The source with a recorder as its sink. */
export const recordedSource = Effect.fnUntraced(function* ({ manifests, respond, target }: Recorded) {
  const time = makeTime()
  const recorder = yield* makeRecorder({ now: time.now, respond })
  const running = yield* tellingSource({ manifests, sink: `${recorder.url}${target}`, wait: time.wait })
  return { ...running, recorder }
})

const verbs = { add: "ADDED", update: "MODIFIED", delete: "DELETED" } as const

/** How the change that a captured event tells of came from the watch. */
export const verbOf = ({ headers }: Captured) => {
  const type = valueOf(headers, "Ce-Type") ?? ""
  return type.endsWith("add") ? verbs.add : type.endsWith("update") ? verbs.update : verbs.delete
}

const Reference = Schema.Struct({
  apiVersion: Schema.String,
  kind: Schema.String,
  name: Schema.String,
  namespace: Schema.optionalKey(Schema.String)
})

/** The object that a captured event is about: the whole of it, or as much as a reference says. */
export const objectOf = ({ body = "" }: Captured): KubernetesObject => {
  const value: unknown = JSON.parse(body)
  if (Schema.is(KubernetesObject)(value)) return Schema.decodeUnknownSync(KubernetesObject)(reversed(value))
  const { apiVersion, kind, ...metadata } = Schema.decodeUnknownSync(Reference)(value)
  return { apiVersion, kind, metadata }
}

/** With its keys the other way round, at every level: the source has to sort them. */
const reversed = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(reversed)
  if (typeof value !== "object" || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .toReversed()
      .map(([key, member]) => [key, reversed(member)])
  )
}
