import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, layer } from "@effect/vitest"
import { Effect, FileSystem, Layer, Ref } from "effect"
import { HttpClient, HttpRouter } from "effect/http"
import { ChildProcess, ChildProcessSpawner } from "effect/process"
import { convert } from "../../lib/oci/layout.ts"
import { distributionRoutes } from "../../lib/oci/distribution-routes.ts"
import { layoutStore, makeServing } from "../../lib/oci/layout-store.ts"
import { openLayout } from "../../lib/oci/open-layout.ts"
import { digestOf, dockerArchive, parts, withArchive } from "./archives.ts"

/** A served layout, and a client that knows where. */
const serve = Effect.gen(function* () {
  const { conversion } = yield* withArchive(yield* dockerArchive(yield* parts))
  yield* convert(conversion)
  const layout = yield* openLayout(conversion.layout)
  const serving = yield* makeServing
  const app = HttpRouter.serve(distributionRoutes, { disableLogger: true, disableListenLog: true }).pipe(
    Layer.provide(layoutStore(layout, serving))
  )
  const context = yield* Layer.build(app.pipe(Layer.provideMerge(NodeHttpServer.layerTest)))
  const client = yield* Effect.provide(HttpClient.HttpClient, context)
  return { client, layout, served: serving.served, directory: conversion.layout, layer: digestOf((yield* parts).base) }
})

layer(NodeServices.layer)("the store of one layout", (it) => {
  it.effect("says it is a registry", () =>
    Effect.gen(function* () {
      const { client } = yield* serve
      assert.strictEqual((yield* client.get("/v2/")).status, 200)
    })
  )

  it.effect("answers any name and tag with the index, and its parts by digest; counts what was fetched", () =>
    Effect.gen(function* () {
      const { client, layer: layerDigest, layout, served } = yield* serve
      const wanted = [
        ["manifests/any.tag", layout.index, "application/vnd.oci.image.index.v1+json"],
        [`manifests/${layout.index.digest}`, layout.index, "application/vnd.oci.image.index.v1+json"],
        [`manifests/${layout.manifest.digest}`, layout.manifest, "application/vnd.oci.image.manifest.v1+json"],
        [`blobs/${layout.config.digest}`, layout.config, "application/octet-stream"],
        [`blobs/${layerDigest}`, layout.layers[0], "application/octet-stream"]
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
      const { client, directory, layer: layerDigest, served } = yield* serve
      yield* fs.writeFileString(`${directory}/blobs/sha256/other`, "not a blob's name")
      const hex = layerDigest.slice("sha256:".length)
      const paths = [
        "/",
        "/v2/x",
        "/v2/x/manifests/",
        `/v2/x/manifests/sha256:${"0".repeat(64)}`,
        `/v2/x/manifests/${layerDigest}`,
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
        // What is no digest is a mistake of the client's.
        paths.map((path) => (/\/blobs\/[^/]+$/u.test(path) && !path.endsWith("0") ? 400 : 404))
      )
      assert.notStrictEqual((yield* client.post(`/v2/x/blobs/uploads/`)).status, 200)
      assert.deepStrictEqual(yield* Ref.get(served), { blobs: 0, bytes: 0 })
    })
  )

  const swap = (fs: FileSystem.FileSystem, path: string) =>
    Effect.andThen(fs.rename(path, `${path}-moved`), fs.symlink(`${path}-moved`, path))
  const swaps: ReadonlyArray<readonly [string, (directory: string, layer: string) => string]> = [
    ["a layer", (directory, layerDigest) => `${directory}/blobs/sha256/${layerDigest.slice("sha256:".length)}`],
    ["the folder of the layers", (directory) => `${directory}/blobs/sha256`],
    ["the folder above", (directory) => `${directory}/blobs`],
    ["the layout", (directory) => directory]
  ]
  for (const [what, pathOf] of swaps) {
    it.effect(`follows no symbolic link in place of ${what}, and serves nothing after that`, () =>
      Effect.gen(function* () {
        const fs = yield* FileSystem.FileSystem
        const { client, directory, layer: layerDigest, served } = yield* serve
        assert.strictEqual((yield* client.head(`/v2/x/blobs/${layerDigest}`)).status, 200)
        const path = pathOf(directory, layerDigest)
        yield* swap(fs, path)
        assert.strictEqual((yield* client.get(`/v2/x/blobs/${layerDigest}`)).status, 403)
        yield* fs.remove(path)
        yield* fs.rename(`${path}-moved`, path)
        assert.strictEqual((yield* client.get("/v2/x/manifests/1")).status, 403)
        assert.deepStrictEqual(yield* Ref.get(served), { blobs: 0, bytes: 0 })
      })
    )
  }

  it.effect("opens nothing but files: a FIFO would wait for its writer for ever", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const { client, directory, layer: layerDigest } = yield* serve
      const path = `${directory}/blobs/sha256/${layerDigest.slice("sha256:".length)}`
      yield* fs.remove(path)
      const spawner = yield* ChildProcessSpawner.ChildProcessSpawner
      assert.strictEqual(Number(yield* spawner.exitCode(ChildProcess.make("mkfifo", [path]))), 0)
      assert.strictEqual((yield* client.get(`/v2/x/blobs/${layerDigest}`)).status, 403)
    })
  )

  it.effect("opens no layout with a link, a FIFO or a folder in a document's place", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const spawner = yield* ChildProcessSpawner.ChildProcessSpawner
      const { directory, layout } = yield* serve
      const opened = Effect.map(Effect.flip(openLayout(directory)), ({ message }) => message)
      const paths = [
        `${directory}/index.json`,
        ...layout.documents.map(({ digest }) => `${directory}/blobs/sha256/${digest.slice("sha256:".length)}`)
      ]
      for (const path of paths) {
        yield* swap(fs, path)
        assert.match(yield* opened, /SymbolicLink, not a file/u)
        yield* fs.remove(path)
        yield* spawner.exitCode(ChildProcess.make("mkfifo", [path]))
        assert.match(yield* opened, /FIFO, not a file/u)
        yield* fs.remove(path)
        yield* fs.makeDirectory(path)
        assert.match(yield* opened, /Directory, not a file/u)
        yield* fs.remove(path, { recursive: true })
        yield* fs.rename(`${path}-moved`, path)
      }
      yield* swap(fs, directory)
      assert.match(yield* opened, /behind a symbolic link/u)
    })
  )

  it.effect("says nothing of what is in a file that is not the build's", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const { directory, layout } = yield* serve
      for (const path of [`${directory}/index.json`, `${directory}/blobs/sha256/${layout.index.digest.slice(7)}`]) {
        const before = yield* fs.readFile(path)
        for (const text of ["root:$6$secret:1:", '{"manifests":"secret"}']) {
          yield* fs.writeFileString(path, text)
          const { message } = yield* Effect.flip(openLayout(directory))
          assert.notMatch(message, /root|secret/u)
        }
        yield* fs.writeFile(path, before)
      }
      yield* openLayout(directory)
    })
  )
})
