/**
 * The functions as Knative runs them: a process each, with its own account's
 * rights, and between them and the API server nothing but a source and a Broker
 * that speak HTTP as Knative's do. The one process of the cluster rests.
 */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { Effect, FileSystem, Number, Path, Ref, Schema } from "effect"
import { HttpClient, HttpClientRequest, HttpClientResponse } from "effect/http"
import { inject } from "vitest"
import { parseAllDocuments } from "yaml"
import { loadFunctions } from "../../lib/runtime/load.ts"
import { builderName } from "../../generate/container.ts"
import { systemNamespace } from "../../lib/kubernetes/system-namespace.ts"
import { answer, serve } from "../knative/http.ts"
import { startBroker, startSource } from "../knative/processes.ts"
import { makeProgram, startProgram } from "../server/process.ts"
import { apply, kubectl, patienceFlag } from "./kubectl.ts"
import { parseSamples } from "./metrics.ts"
import { proxyAs } from "./watch.ts"

const Applied = Schema.Struct({ kind: Schema.String, metadata: Schema.Struct({ name: Schema.String }) })
const rights = ["ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"]

/** Accounts and their rights, of a folder whose other objects need Knative. */
const applyRights = Effect.fnUntraced(function* (folder: string) {
  const text = yield* kubectl("kustomize", folder)
  const objects = parseAllDocuments(text).map((document): unknown => document.toJS())
  // The Role of the builder's image is there, and names this checkout's.
  const isApplied = ({ kind, metadata }: typeof Applied.Type) => rights.includes(kind) && metadata.name !== builderName
  yield* apply(...objects.filter(Schema.is(Applied)).filter(isApplied))
})

const scale = (replicas: number) =>
  kubectl("scale", "-n", systemNamespace, "deployment/enbi-functions", `--replicas=${replicas}`)

/** Until the scope ends. */
const withoutTheOneProcess = Effect.acquireRelease(
  Effect.andThen(
    scale(0),
    kubectl(
      "wait",
      "-n",
      systemNamespace,
      "pod",
      "-l",
      "app.kubernetes.io/name=enbi-functions",
      "--for=delete",
      patienceFlag
    )
  ),
  () =>
    Effect.orDie(
      Effect.andThen(
        scale(1),
        kubectl("rollout", "status", "-n", systemNamespace, "deployment/enbi-functions", patienceFlag)
      )
    )
)

const account = (name: string) => `system:serviceaccount:${systemNamespace}:${name}`

/** Answers every event as a Broker does that cannot deliver it, and says how many there were. */
const startFailing = Effect.gen(function* () {
  const asked = yield* Ref.make(0)
  const { url } = yield* serve({ port: 0 }, () => Effect.as(Ref.update(asked, Number.increment), answer(500)))
  return { url, asked: Ref.get(asked) }
})

const startFunction = Effect.fnUntraced(function* (name: string) {
  const { isListening, url } = yield* startProgram(yield* makeProgram(name), {
    BUILDER_IMAGE: inject("builderImage"),
    KUBERNETES_URL: yield* proxyAs(account(name)),
    SUBSTITUTERS: "",
    BUILD_EGRESS: "open"
  })
  yield* isListening
  return [name, url] as const
})

/** All of it, until the scope ends. */
export const knativeProcesses = Effect.gen(function* () {
  const files = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  yield* withoutTheOneProcess
  yield* Effect.forEach(["knative", "eventing"], applyRights, { discard: true })
  const definitions = yield* loadFunctions(new URL("../../functions/", import.meta.url))
  const functions = yield* Effect.forEach(definitions, ({ name }) => startFunction(name), { concurrency: 2 })

  const manifests = path.join(yield* files.makeTempDirectoryScoped(), "eventing.yaml")
  yield* files.writeFileString(manifests, yield* kubectl("kustomize", "eventing"))
  // Nothing is delivered to the dead letter sink here, so nobody is.
  const subscribers = Object.fromEntries([...functions, ["dead-letter", "http://127.0.0.1:9"]])
  const environment = { MANIFESTS: manifests, SUBSCRIBERS: JSON.stringify(subscribers) }
  const broker = yield* startBroker(environment)
  const failing = yield* startFailing
  const sourceTo = (sink: string) =>
    Effect.flatMap(proxyAs(account("enbi-sources")), (url) =>
      startSource({ ...environment, K_SINK: sink, KUBERNETES_URL: url, PING_INTERVAL: "3 seconds" })
    )
  return {
    startSource: sourceTo(`${broker.url}/${systemNamespace}/enbi`),
    /** A source whose events are lost, since its sink answers 500. */
    startLosing: sourceTo(failing.url),
    lost: failing.asked,
    /** What each function counts, by its name. */
    samples: Effect.forEach(functions, ([name, url]) =>
      Effect.map(textOf(`${url}/metrics`), (text) => ({ name, samples: parseSamples(text) }))
    )
  }
})

const textOf = (url: string) =>
  HttpClient.get(url).pipe(
    Effect.flatMap((response) => response.text),
    Effect.provide(NodeHttpClient.layerNodeHttp)
  )

/** Asks a source to begin or to end a fault. */
export const setFault = (source: { readonly url: string }, method: "PUT" | "DELETE", fault: "gap" | "drop") =>
  HttpClient.execute(HttpClientRequest.make(method)(`${source.url}/faults/${fault}`)).pipe(
    Effect.flatMap(HttpClientResponse.filterStatusOk),
    Effect.provide(NodeHttpClient.layerNodeHttp)
  )
