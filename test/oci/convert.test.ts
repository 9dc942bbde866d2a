import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, layer } from "@effect/vitest"
import { Effect, FileSystem } from "effect"
import { Tar } from "effect/encoding"
import { gzipSync } from "node:zlib"
import { convert } from "../../lib/oci/layout.ts"
import { openLayout } from "../../lib/oci/open-layout.ts"
import { digestOf, dockerArchive, ociArchive, parts, type Parts, withArchive } from "./archives.ts"

const convertBytes = Effect.fnUntraced(function* (bytes: Uint8Array, architecture = "amd64") {
  const { conversion, directory } = yield* withArchive(bytes)
  const digest = yield* convert({ ...conversion, architecture })
  return { digest, directory, layout: yield* openLayout(conversion.layout) }
})

layer(NodeServices.layer)("convert", (it) => {
  it.effect("makes a layout whose index names the platform and whose blobs are what they are called", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const { app, base, config } = yield* parts
      const { digest, directory, layout } = yield* convertBytes(yield* dockerArchive(yield* parts))
      assert.strictEqual(layout.index.digest, digest)
      assert.deepStrictEqual(layout.manifest.platform, { os: "linux", architecture: "amd64" })
      assert.strictEqual(layout.config.digest, digestOf(config))
      assert.deepStrictEqual(
        layout.layers.map((descriptor) => [descriptor.digest, descriptor.size, descriptor.mediaType]),
        [base, app].map((bytes) => [digestOf(bytes), bytes.length, "application/vnd.oci.image.layer.v1.tar"])
      )
      assert.deepStrictEqual((yield* fs.readDirectory(directory)).toSorted(), ["image.tar", "layout"])
      const blobs = `${directory}/layout/blobs/sha256`
      const names = yield* fs.readDirectory(blobs)
      assert.lengthOf(names, 5)
      yield* Effect.forEach(names, (name) =>
        Effect.map(fs.readFile(`${blobs}/${name}`), (bytes) => assert.strictEqual(digestOf(bytes), `sha256:${name}`))
      )
    })
  )

  it.effect("gives the same digest for the same image as tar, as gzip, as OCI archive and a second time", () =>
    Effect.gen(function* () {
      const all = yield* parts
      const docker = yield* dockerArchive(all)
      const archives = [docker, gzipSync(docker), yield* ociArchive(all), docker]
      const digests = yield* Effect.forEach(archives, (bytes) =>
        Effect.map(convertBytes(bytes), ({ digest }) => digest)
      )
      assert.lengthOf(new Set(digests), 1)
    })
  )

  it.effect("keeps a gzip layer as it is and calls it that", () =>
    Effect.gen(function* () {
      const all = yield* parts
      const { layout } = yield* convertBytes(yield* dockerArchive({ ...all, base: gzipSync(all.base) }))
      assert.strictEqual(layout.layers[0]?.mediaType, "application/vnd.oci.image.layer.v1.tar+gzip")
      assert.strictEqual(layout.layers[0]?.digest, digestOf(gzipSync(all.base)))
    })
  )

  it.effect("takes a layout that is there already away, and leaves none when it fails", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const { conversion, directory } = yield* withArchive(yield* dockerArchive(yield* parts))
      yield* fs.makeDirectory(conversion.layout)
      yield* fs.writeFileString(`${conversion.layout}/old`, "")
      yield* convert(conversion)
      assert.deepStrictEqual((yield* fs.readDirectory(conversion.layout)).toSorted(), [
        "blobs",
        "index.json",
        "oci-layout"
      ])
      yield* fs.remove(conversion.layout, { recursive: true })
      yield* Effect.flip(convert({ ...conversion, architecture: "arm64" }))
      assert.deepStrictEqual(yield* fs.readDirectory(directory), ["image.tar"])
    })
  )

  const [image] = [{ Config: "config.json", Layers: ["base.tar", "app.tar"] }]
  const wrong: ReadonlyArray<readonly [string, RegExp, (all: Parts) => Effect.Effect<Uint8Array>]> = [
    ["cut in a layer", /end of tar/u, (all) => Effect.map(dockerArchive(all), (bytes) => bytes.subarray(0, 2000))],
    [
      "cut between entries",
      /lists config\.json/u,
      (all) => Effect.map(dockerArchive(all), (bytes) => bytes.subarray(0, 1024))
    ],
    ["cut gzip", /gzip data/u, (all) => Effect.map(dockerArchive(all), (bytes) => gzipSync(bytes).subarray(0, 200))],
    ["empty", /neither a manifest/u, () => Effect.succeed(new Uint8Array())],
    ["random", /cannot be read/u, () => Effect.succeed(Buffer.alloc(4096, "random bytes"))],
    [
      "another diff id",
      /diff id/u,
      (all) => dockerArchive({ ...all, base: Buffer.concat([all.base, Buffer.alloc(512)]) })
    ],
    [
      "a layer too few",
      /1 layers/u,
      (all) => dockerArchive({ ...all, manifest: [{ ...image, Layers: ["base.tar"] }] })
    ],
    [
      "two images",
      /contains 2 images/u,
      (all) =>
        dockerArchive({ ...all, manifest: [image, { ...image, Config: "other.json" }] }, [
          Tar.file("other.json", `${all.config} `)
        ])
    ],
    ["no image", /contains 0 images/u, (all) => dockerArchive({ ...all, manifest: [] })],
    [
      "a layer outside",
      /does not contain/u,
      (all) => dockerArchive({ ...all, manifest: [{ ...image, Layers: ["../../etc/passwd", "app.tar"] }] })
    ],
    [
      "a layer that is a link out of the archive",
      /link is a symbolic link to \.\.\/etc\/passwd, which it does not contain/u,
      (all) =>
        dockerArchive({ ...all, manifest: [{ ...image, Layers: ["link", "app.tar"] }] }, [
          Tar.symlink("link", "../etc/passwd")
        ])
    ],
    ["a configuration that is none", /configuration config\.json/u, (all) => dockerArchive({ ...all, config: "[]" })],
    [
      "a huge configuration",
      /more than/u,
      (all) => dockerArchive({ ...all, config: all.config.padEnd(4 * 1024 * 1024 + 1) })
    ],
    [
      "too many files",
      /more than 1000 files/u,
      (all) =>
        dockerArchive(
          all,
          Array.from({ length: 1000 }, (_, n) => Tar.file(`f${n}`, ""))
        )
    ]
  ]
  for (const [name, message, make] of wrong) {
    it.effect(`refuses an archive: ${name}`, () =>
      Effect.gen(function* () {
        const failure = yield* Effect.flip(convertBytes(yield* make(yield* parts)))
        assert.strictEqual("code" in failure ? failure.code : failure._tag, "NotAnImage")
        assert.match(failure.message, message)
      })
    )
  }

  it.effect("writes nothing outside of the layout, whatever the entries are called", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const odd = ["../outside", "/tmp/../outside", "blobs/sha256/../../../outside"].map((name) => Tar.file(name, "x"))
      const { directory } = yield* convertBytes(yield* dockerArchive(yield* parts, odd))
      assert.deepStrictEqual((yield* fs.readDirectory(directory)).toSorted(), ["image.tar", "layout"])
      assert.lengthOf(yield* fs.readDirectory(`${directory}/layout/blobs/sha256`), 5)
    })
  )

  it.effect("refuses another architecture by its own reason", () =>
    Effect.gen(function* () {
      const failure = yield* Effect.flip(convertBytes(yield* dockerArchive(yield* parts), "arm64"))
      assert.strictEqual("code" in failure ? failure.code : failure._tag, "WrongArchitecture")
    })
  )
})
