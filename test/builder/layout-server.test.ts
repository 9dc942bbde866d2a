import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, layer } from "@effect/vitest"
import { Effect, FileSystem, Layer, Ref } from "effect"
import { HttpClient, HttpRouter } from "effect/http"
import { ChildProcess, ChildProcessSpawner } from "effect/process"
import { convert } from "../../lib/oci/layout.ts"
import { layoutRoutes, makeServed } from "../../lib/oci/layout-server.ts"
import { openLayout } from "../../lib/oci/open-layout.ts"
import { digestOf, dockerArchive, parts, withArchive } from "./archives.ts"

/** A served layout, and a client that knows where. */
const serve = Effect.gen(function* () {
  const { conversion } = yield* withArchive(yield* dockerArchive(yield* parts))
  yield* convert(conversion)
  const layout = yield* openLayout(conversion.layout)
  const served = yield* makeServed
  const app = HttpRouter.serve(layoutRoutes(layout, served), { disableLogger: true, disableListenLog: true })
  const context = yield* Layer.build(app.pipe(Layer.provideMerge(NodeHttpServer.layerTest)))
  const client = yield* Effect.provide(HttpClient.HttpClient, context)
  return { client, layout, served, directory: conversion.layout, layer: digestOf((yield* parts).base) }
})

layer(NodeServices.layer)("layout server", (it) => {
  it.effect("says it is a registry", () =>
    Effect.gen(function* () {
      const { client } = yield* serve
      assert.strictEqual((yield* client.get("/v2/")).status, 200)
    })
  )

  it.effect("answers any name and tag with the index, and its parts by digest; counts what was fetched", () =>
    Effect.gen(function* () {
      const { client, layer, layout, served } = yield* serve
      const wanted = [
        ["manifests/any.tag", layout.index, "application/vnd.oci.image.index.v1+json"],
        [`manifests/${layout.index.digest}`, layout.index, "application/vnd.oci.image.index.v1+json"],
        [`manifests/${layout.manifest.digest}`, layout.manifest, "application/vnd.oci.image.manifest.v1+json"],
        [`blobs/${layout.config.digest}`, layout.config, "application/octet-stream"],
        [`blobs/${layer}`, layout.layers[0], "application/octet-stream"]
      ] as const
      yield* Effect.forEach(
        wanted,
        Effect.fnUntraced(function* ([path, descriptor, mediaType]) {
          const head = yield* client.head(`/v2/some/name/${path}`)
          const get = yield* client.get(`/v2/some/name/${path}`)
          for (const { headers, status } of [head, get]) {
            assert.strictEqual(status, 200)
            assert.strictEqual(headers["content-type"], mediaType)
            assert.strictEqual(headers["content-length"], String(descriptor?.size))
            assert.strictEqual(headers["docker-content-digest"], descriptor?.digest)
          }
          assert.strictEqual(digestOf(new Uint8Array(yield* get.arrayBuffer)), descriptor?.digest)
        })
      )
      const bytes = wanted.reduce((sum, [, descriptor]) => sum + (descriptor?.size ?? 0), 0)
      assert.deepStrictEqual(yield* Ref.get(served), { blobs: wanted.length, bytes })
    })
  )

  it.effect("knows nothing else", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const { client, directory, layer, served } = yield* serve
      yield* fs.writeFileString(`${directory}/blobs/sha256/other`, "not a blob's name")
      const hex = layer.slice("sha256:".length)
      const paths = [
        "/",
        "/v2/x",
        "/v2/x/manifests/",
        `/v2/x/manifests/sha256:${"0".repeat(64)}`,
        `/v2/x/manifests/${layer}`,
        `/v2/x/blobs/sha256:${"0".repeat(64)}`,
        `/v2/x/blobs/${hex}`,
        `/v2/x/blobs/sha256:${hex.toUpperCase()}`,
        `/v2/x/blobs/sha256:../sha256/${hex}`,
        `/v2/x/blobs/sha256:..%2fsha256%2f${hex}`,
        "/v2/x/blobs/sha256:other",
        `/v2/x/tags/list`
      ]
      const statuses = yield* Effect.forEach(paths, (path) => Effect.map(client.get(path), ({ status }) => status))
      assert.deepStrictEqual(
        statuses,
        paths.map(() => 404)
      )
      assert.notStrictEqual((yield* client.post(`/v2/x/blobs/uploads/`)).status, 200)
      assert.deepStrictEqual(yield* Ref.get(served), { blobs: 0, bytes: 0 })
    })
  )

  it.effect("opens nothing but files: a FIFO would wait for its writer for ever", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const { client, directory, layer } = yield* serve
      const path = `${directory}/blobs/sha256/${layer.slice("sha256:".length)}`
      yield* fs.remove(path)
      const spawner = yield* ChildProcessSpawner.ChildProcessSpawner
      assert.strictEqual(Number(yield* spawner.exitCode(ChildProcess.make("mkfifo", [path]))), 0)
      assert.strictEqual((yield* client.get(`/v2/x/blobs/${layer}`)).status, 404)
    })
  )

  it.effect("follows no symbolic link: not a blob, not the folder of the blobs", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const { client, directory, layer } = yield* serve
      const path = `${directory}/blobs/sha256/${layer.slice("sha256:".length)}`
      yield* fs.rename(path, `${directory}/elsewhere`)
      yield* fs.symlink(`${directory}/elsewhere`, path)
      assert.strictEqual((yield* client.get(`/v2/x/blobs/${layer}`)).status, 404)

      yield* fs.remove(path)
      yield* fs.rename(`${directory}/elsewhere`, path)
      assert.strictEqual((yield* client.get(`/v2/x/blobs/${layer}`)).status, 200)
      yield* fs.rename(`${directory}/blobs`, `${directory}/moved`)
      yield* fs.symlink(`${directory}/moved`, `${directory}/blobs`)
      assert.strictEqual((yield* client.get(`/v2/x/blobs/${layer}`)).status, 404)
      assert.match((yield* Effect.flip(openLayout(directory))).message, /symbolic link/u)
    })
  )
})
