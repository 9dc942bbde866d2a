/**
 * An API server that has a given number of finished NixBuilds and Leases of
 * their tags, and in which nothing ever happens.
 */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { Effect, Layer, Stream } from "effect"
import { HttpRouter, HttpServer, HttpServerRequest, HttpServerResponse } from "effect/http"
import { createServer } from "node:http"
import { reasons } from "../lib/api/condition.ts"
import { pathOf } from "../lib/api/kind.ts"
import { leases, managedBy } from "../lib/api/kubernetes.ts"
import { nixBuilds } from "../lib/api/nixbuild.ts"
import { heldByLabel, heldTagAnnotation } from "../lib/keys.ts"
import { tagLeaseName } from "../lib/names.ts"

const time = "2026-01-01T00:00:00Z"

const metadata = (index: number, name: string, namespace: string) => ({
  name,
  namespace,
  uid: `00000000-0000-4000-8000-${String(index).padStart(12, "0")}`,
  resourceVersion: String(index + 1),
  generation: 1,
  creationTimestamp: time,
  managedFields: [{ manager: "kubectl", operation: "Apply", fieldsType: "FieldsV1", fieldsV1: { "f:spec": {} }, time }]
})

const condition = (type: string, reason: keyof typeof reasons) => ({
  type,
  status: "True",
  reason,
  message: reasons[reason],
  observedGeneration: 1,
  lastTransitionTime: time
})

const tagOf = (index: number): string => `registry.invalid/bench/app-${index}:1`

const finished = (index: number): object => ({
  metadata: metadata(index, `build-${index}`, `bench-${index % 10}`),
  spec: {
    flakeUrl: `git+https://nossa.ee/~talya/chog?rev=${"0".repeat(40)}`,
    imageTag: tagOf(index),
    packageName: "chog-docker.stream-layered",
    system: "x86_64-linux",
    nodes: ["worker"],
    timeoutSeconds: 3600,
    sandbox: true
  },
  status: {
    status: "Succeeded",
    buildNode: "worker",
    buildJobName: `build-${index}-build-0123456789`,
    imageDigest: `sha256:${"0".repeat(64)}`,
    imageConfigDigest: `sha256:${"1".repeat(64)}`,
    imageSize: 123_456_789,
    lockedUrl: `git+https://nossa.ee/~talya/chog?rev=${"0".repeat(40)}`,
    storePath: `/nix/store/${"0".repeat(32)}-stream-chog`,
    attempt: 1,
    nodes: [
      { name: "worker", attempt: 1, reason: "ImagePulled", digest: `sha256:${"0".repeat(64)}`, importedTime: time }
    ],
    conditions: [
      condition("Scheduled", "NodeFound"),
      condition("Launched", "JobCreated"),
      condition("Success", "ResultSuccess"),
      condition("Complete", "BuildFinished"),
      condition("Ready", "Imported")
    ]
  }
})

const lease = (index: number): object => ({
  metadata: {
    ...metadata(100_000 + index, tagLeaseName(tagOf(index)), "enbi-system"),
    labels: { ...managedBy, [heldByLabel]: `bench-${index % 10}` },
    annotations: { [heldTagAnnotation]: tagOf(index) }
  },
  spec: { holderIdentity: "bench" }
})

const answer = (objects: ReadonlyMap<string, ReadonlyArray<object>>) =>
  Effect.gen(function* () {
    const { url } = yield* HttpServerRequest.HttpServerRequest
    const { pathname, searchParams } = new URL(url, "http://x")
    if (searchParams.has("watch")) return HttpServerResponse.stream(Stream.never)
    const all = objects.get(pathname) ?? []
    const from = Number(searchParams.get("continue") ?? 0)
    const to = from + Number(searchParams.get("limit") ?? all.length)
    const more = to < all.length ? { continue: String(to) } : {}
    return HttpServerResponse.jsonUnsafe({
      items: all.slice(from, to),
      metadata: { resourceVersion: "1000000", ...more }
    })
  })

/** Its URL, as long as the scope is open. */
export const serveFinished = Effect.fnUntraced(function* (count: number) {
  const make = (one: (index: number) => object) => Array.from({ length: count }, (_, index) => one(index))
  const objects = new Map([
    [pathOf(nixBuilds), make(finished)],
    [pathOf(leases), make(lease)]
  ])
  const server = HttpRouter.serve(HttpRouter.add("GET", "/*", answer(objects)), {
    disableLogger: true,
    disableListenLog: true
  }).pipe(Layer.provideMerge(NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1" })))
  const context = yield* Layer.build(server)
  return yield* HttpServer.addressFormattedWith(Effect.succeed).pipe(Effect.provide(context))
})
