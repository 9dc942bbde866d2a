/**
 * An API server that has a given number of finished NixBuilds, the Leases of
 * their tags and a node that has their images, and in which nothing happens.
 */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { Effect, Layer, Ref, Schedule, Stream } from "effect"
import { HttpRouter, HttpServer, HttpServerRequest, HttpServerResponse } from "effect/http"
import { createServer } from "node:http"
import { reasons } from "../lib/api/condition.ts"
import { pathOf } from "../lib/api/kind.ts"
import { leases, managedBy, namespaces, nodes } from "../lib/api/kubernetes.ts"
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

const condition = (type: string, reason: keyof typeof reasons, message: string = reasons[reason]) => ({
  type,
  status: "True",
  reason,
  message,
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
    observedGeneration: 1,
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
      condition("Complete", "BuildFinished", "Image loaded"),
      condition("Ready", "Imported", "The image is on worker.")
    ]
  }
})

const namespace = (index: number): object => ({
  metadata: { ...metadata(200_000 + index, `bench-${index}`, ""), labels: {} }
})

const node: object = {
  metadata: { ...metadata(300_000, "worker", ""), labels: { "kubernetes.io/arch": "amd64" } },
  spec: {},
  status: { conditions: [{ type: "Ready", status: "True", lastTransitionTime: time }] }
}

const lease = (index: number): object => ({
  metadata: {
    ...metadata(100_000 + index, tagLeaseName(tagOf(index)), "enbi-system"),
    labels: { ...managedBy, [heldByLabel]: `bench-${index % 10}` },
    annotations: { [heldTagAnnotation]: tagOf(index) }
  },
  spec: { holderIdentity: "bench" }
})

const resourceVersion = "1000000"

const bookmark = `${JSON.stringify({ type: "BOOKMARK", object: { metadata: { resourceVersion } } })}\n`

// What a watch tells when there is nothing to tell, at once and then each minute.
const bookmarks = Stream.fromSchedule(Schedule.spaced("1 minute")).pipe(
  Stream.map(() => bookmark),
  (later) => Stream.concat(Stream.make(bookmark), later),
  Stream.encodeText
)

const answer = (objects: ReadonlyMap<string, ReadonlyArray<object>>, writes: Ref.Ref<ReadonlyArray<string>>) =>
  Effect.gen(function* () {
    const { method, url } = yield* HttpServerRequest.HttpServerRequest
    const { pathname, searchParams } = new URL(url, "http://x")
    if (method !== "GET") {
      yield* Ref.update(writes, (before) => [...before, `${method} ${pathname}`])
      return HttpServerResponse.jsonUnsafe({ reason: "NotFound", message: "nothing changes here" }, { status: 404 })
    }
    if (searchParams.has("watch")) return HttpServerResponse.stream(bookmarks)
    const all = objects.get(pathname) ?? []
    const from = Number(searchParams.get("continue") ?? 0)
    const to = from + Number(searchParams.get("limit") ?? all.length)
    const more = to < all.length ? { continue: String(to) } : {}
    return HttpServerResponse.jsonUnsafe({
      items: all.slice(from, to),
      metadata: { resourceVersion, ...more }
    })
  })

/** Its URL, as long as the scope is open, and what it was asked to change: nothing, or its world is not at rest. */
export const serveFinished = Effect.fnUntraced(function* (count: number) {
  const make = (one: (index: number) => object, times = count) =>
    Array.from({ length: times }, (_, index) => one(index))
  const objects = new Map([
    [pathOf(nixBuilds), make(finished)],
    [pathOf(leases), make(lease)],
    [pathOf(namespaces), make(namespace, 10)],
    [pathOf(nodes), [node]]
  ])
  const writes = yield* Ref.make<ReadonlyArray<string>>([])
  const server = HttpRouter.serve(HttpRouter.add("*", "/*", answer(objects, writes)), {
    disableLogger: true,
    disableListenLog: true
  }).pipe(Layer.provideMerge(NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1" })))
  const context = yield* Layer.build(server)
  const url = yield* HttpServer.addressFormattedWith(Effect.succeed).pipe(Effect.provide(context))
  return { url, writes: Ref.get(writes) }
})
