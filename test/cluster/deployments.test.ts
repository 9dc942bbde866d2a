/** The Deployments of `without-serving/`: they come up as their manifests have them, and take events with their own rights. */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { assert, it } from "@effect/vitest"
import { Effect, FileSystem, Layer, Schema } from "effect"
import { HttpClient, HttpClientRequest } from "effect/http"
import { parseAllDocuments } from "yaml"
import { CommandFailed } from "../../tools/command.ts"
import { manifests } from "../../kind/deploy.ts"
import { builderName } from "../../generate/container.ts"
import { systemNamespace } from "../../lib/kubernetes/system-namespace.ts"
import { loadFunctions } from "../../lib/runtime/load.ts"
import { sweepEvent } from "../server/serve.ts"
import { apply, builderImage, kubectl, patienceFlag, patiently, services } from "./cluster.ts"
import { proxy } from "./watch.ts"

/** Without what needs Knative, and what all ways to run share. */
const kinds = [
  "ServiceAccount",
  "Role",
  "RoleBinding",
  "ClusterRole",
  "ClusterRoleBinding",
  "ConfigMap",
  "Deployment",
  "Service"
]

const Applied = Schema.Struct({ kind: Schema.String, metadata: Schema.Struct({ name: Schema.String }) })
const isApplied = Schema.is(Applied)

const objects = Effect.gen(function* () {
  const image = "jsonpath={.spec.template.spec.containers[0].image}"
  const functions = yield* kubectl("get", "-n", systemNamespace, "deployment/enbi-functions", "-o", image)
  const images = { builder: builderImage, functions }
  const shared = new Set((yield* objectsIn("servers", images)).map(nameOf))
  return (yield* objectsIn("without-serving", images)).filter(
    (object) => kinds.includes(object.kind) && object.metadata.name !== builderName && !shared.has(nameOf(object))
  )
})

const objectsIn = Effect.fnUntraced(function* (folder: string, images: Parameters<typeof manifests>[1]) {
  return parseAllDocuments(yield* manifests(folder, images))
    .map((document): unknown => document.toJS())
    .filter(isApplied)
})

const nameOf = ({ kind, metadata }: typeof Applied.Type): string => `${kind} ${metadata.name}`

const remove = Effect.fnUntraced(function* (all: ReadonlyArray<object>) {
  const files = yield* FileSystem.FileSystem
  const file = yield* files.makeTempFileScoped({ suffix: ".json" })
  yield* files.writeFileString(file, JSON.stringify({ apiVersion: "v1", kind: "List", items: all }))
  yield* kubectl("delete", "-f", file, "--ignore-not-found", patienceFlag)
}, Effect.scoped)

it.live("each function as a Deployment comes up and looks at everything with its own account's rights", () =>
  Effect.gen(function* () {
    const all = yield* objects
    yield* Effect.acquireRelease(apply(...all), () => Effect.orDie(remove(all)))
    const names = all.filter(({ kind }) => kind === "Deployment").map(({ metadata }) => metadata.name)
    const functions = yield* loadFunctions(new URL("../../functions/", import.meta.url))
    assert.sameMembers(names, [...functions.map(({ name }) => name), "dead-letter"])
    const deployments = names.map((name) => `deployment/${name}`)
    yield* kubectl("wait", "-n", systemNamespace, ...deployments, "--for=condition=Available", patienceFlag)
    const url = yield* proxy
    for (const name of names) {
      const to = `${url}/api/v1/namespaces/${systemNamespace}/services/${name}:http/proxy/`
      const request = HttpClientRequest.post(to).pipe(
        HttpClientRequest.bodyText("{}", "application/json"),
        HttpClientRequest.setHeaders(sweepEvent)
      )
      const send = Effect.gen(function* () {
        const { status, text } = yield* HttpClient.execute(request)
        if (status !== 204) return yield* new CommandFailed({ message: `${name}: ${status} ${yield* text}` })
      })
      yield* patiently(send)
    }
  }).pipe(Effect.scoped, Effect.provide(Layer.merge(NodeHttpClient.layerNodeHttp, services)))
)
