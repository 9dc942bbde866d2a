/** What an import leaves in containerd, whatever the layout has become since it was built. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, layer } from "@effect/vitest"
import { Effect, Fiber, FileSystem, Option, Schedule, Schema } from "effect"
import { Tar } from "effect/encoding"
import { randomBytes } from "node:crypto"
import { fileURLToPath } from "node:url"
import { gzipSync } from "node:zlib"
import { importImage } from "../../jobs/import/import-image.ts"
import { layerMediaType } from "../../lib/oci/compression.ts"
import { openLayout } from "../../lib/oci/open-layout.ts"
import { parseReference } from "../../lib/oci/reference.ts"
import { collect, digestOf } from "../oci/archives.ts"
import { plant, type Planted } from "../oci/plant.ts"

const uid = "00000000-0000-4000-8000-000000000000"
const name = "registry.invalid/team/app:1"
const older = { [name]: `sha256:${"a".repeat(64)}`, "docker.io/library/nginx:latest": `sha256:${"b".repeat(64)}` }

const Images = Schema.fromJsonString(Schema.Record(Schema.String, Schema.String))

/** A layout's folder, and a containerd that has other images. */
const world = Effect.gen(function* () {
  const fs = yield* FileSystem.FileSystem
  const directory = yield* fs.realPath(yield* fs.makeTempDirectoryScoped())
  const containerd = `${directory}/containerd`
  yield* fs.makeDirectory(`${containerd}/blobs`, { recursive: true })
  yield* fs.writeFileString(`${containerd}/images.json`, JSON.stringify(older))
  const fake = fileURLToPath(new URL("fake-ctr.ts", import.meta.url))
  yield* fs.writeFileString(`${directory}/ctr`, `#!/bin/sh\nexec ${process.execPath} ${fake} "$@"\n`)
  yield* fs.chmod(`${directory}/ctr`, 0o755)
  process.env["PATH"] = `${directory}:${process.env["PATH"]}`
  const layout = `${directory}/layout`
  const importLayout = Effect.fnUntraced(function* (expectedDigest: Option.Option<string> = Option.none()) {
    const tagUse = "The namespaces a and b use the tag."
    const settings = {
      imageTag: name,
      system: "x86_64-linux" as const,
      uid,
      socket: containerd,
      expectedDigest,
      tagUse
    }
    const reference = yield* Effect.fromOption(parseReference(name))
    return yield* importImage(settings, reference, yield* openLayout(layout))
  })
  return {
    fs,
    layout,
    containerd,
    importLayout: importLayout(),
    importHeld: (digest: string) => importLayout(Option.some(digest)),
    images: Effect.flatMap(fs.readFileString(`${containerd}/images.json`), Schema.decodeEffect(Images)),
    calls: Effect.map(fs.readFileString(`${containerd}/calls`), (text) => text.trim().split("\n"))
  }
})

const good = collect([Tar.file("bin/app", "hello")])
const setuid = collect([Tar.file("bin/su", "x", { mode: 0o4755 }), Tar.file("more", randomBytes(2_000_000))])

interface Row {
  readonly planted: Effect.Effect<Planted>
  readonly reason: string
  readonly message: RegExp
  /** It is seen when the layout is opened: containerd is not even asked. */
  readonly early?: boolean
}

const withGood = (more: Omit<Planted, "layers">) => Effect.map(good, (bytes): Planted => ({ layers: [bytes], ...more }))

const rows: Readonly<Record<string, Row>> = {
  "a setuid file": {
    planted: Effect.map(setuid, (bytes) => ({ layers: [bytes] })),
    reason: "ForbiddenContent",
    message: /bin\/su is a setuid/u
  },
  "a setuid file, compressed, between good layers": {
    planted: Effect.map(Effect.all([good, setuid]), ([fine, bad]) => ({
      layers: [gzipSync(fine), gzipSync(bad)],
      diffIds: [fine, bad].map(digestOf),
      mediaType: layerMediaType.gzip
    })),
    reason: "ForbiddenContent",
    message: /Layer 2: bin\/su is a setuid/u
  },
  "another diff id, compressed": {
    planted: Effect.map(good, (bytes) => ({
      layers: [gzipSync(bytes)],
      diffIds: [digestOf("")],
      mediaType: layerMediaType.gzip
    })),
    reason: "NotAnImage",
    message: /diff id/u
  },
  "another diff id": {
    planted: withGood({ diffIds: [digestOf("")] }),
    reason: "NotAnImage",
    message: /diff id/u,
    early: true
  },
  "no tar": {
    planted: Effect.succeed({ layers: [Buffer.alloc(2048, "x")] }),
    reason: "NotAnImage",
    message: /Layer 1 cannot be read/u
  },
  "no gzip, though it is called that": {
    planted: withGood({ mediaType: layerMediaType.gzip }),
    reason: "NotAnImage",
    message: /gzip data/u
  },
  "a reserved label": {
    planted: withGood({ config: { Labels: { "containerd.io/restart.loguri": "binary:///bin/sh" } } }),
    reason: "ForbiddenContent",
    message: /reserved/u,
    early: true
  },
  "an annotation in the manifest": {
    planted: withGood({ manifest: { annotations: { "io.containerd.image.name": "docker.io/library/nginx:latest" } } }),
    reason: "LayoutError",
    message: /manifest is not as the build wrote it/u,
    early: true
  },
  "an annotation in the index": {
    planted: withGood({ index: { annotations: { "containerd.io/x": "" } } }),
    reason: "LayoutError",
    message: /index is not as/u,
    early: true
  },
  "a URL to fetch the layer from": {
    planted: withGood({ layerMore: { urls: ["http://169.254.169.254/"] } }),
    reason: "LayoutError",
    message: /manifest is not as/u,
    early: true
  },
  "a layer of a kind that containerd converts": {
    planted: withGood({ mediaType: "application/octet-stream" }),
    reason: "LayoutError",
    message: /manifest is not as/u,
    early: true
  },
  "a key twice, which Go would merge": {
    planted: withGood({ indexText: (text) => text.replace("{", '{"manifests":[],') }),
    reason: "LayoutError",
    message: /index is not as/u,
    early: true
  }
}

const outcomeOf = <A, E extends { readonly _tag: string; readonly message: string }, R>(self: Effect.Effect<A, E, R>) =>
  Effect.map(Effect.flip(self), (error) => ({
    reason: "reason" in error ? error.reason : "code" in error ? error.code : error._tag,
    message: error.message
  }))

layer(NodeServices.layer, { excludeTestServices: true })("an import", (it) => {
  it.effect("gives the tag to the image, and nothing else stays; done again it moves nothing", () =>
    Effect.gen(function* () {
      const { calls, importLayout, images, layout } = yield* world
      const { digest } = yield* plant(layout, yield* withGood({}))
      assert.strictEqual((yield* importLayout).movedBlobs, 4)
      assert.deepStrictEqual(yield* images, { ...older, [name]: digest })
      const again = yield* importLayout
      assert.deepStrictEqual([again.movedBlobs, again.movedBytes], [0, 0])
      assert.deepStrictEqual(yield* images, { ...older, [name]: digest })
      const first = (yield* calls).find((call) => call.startsWith("images pull"))
      assert.match(first ?? "", /--label io\.cri-containerd\.image=managed .*:enbi-import-[0-9a-f-]{36}$/u)
    })
  )

  for (const [what, { early = false, message, planted, reason }] of Object.entries(rows)) {
    it.effect(`of ${what} is refused with its reason, and containerd is as before`, () =>
      Effect.gen(function* () {
        const { containerd, fs, images, importLayout, layout } = yield* world
        const { layers } = yield* plant(layout, yield* planted)
        const failure = yield* outcomeOf(importLayout)
        assert.strictEqual(failure.reason, reason)
        assert.match(failure.message, message)
        assert.deepStrictEqual(yield* images, older)
        assert.strictEqual(yield* fs.exists(`${containerd}/calls`), !early)
        assert.isFalse(yield* fs.exists(`${containerd}/lease`))
        const last = layers.at(-1)?.digest.slice(7)
        assert.isFalse(yield* fs.exists(`${containerd}/blobs/${last}`), "containerd never has the refused layer")
      })
    )
  }

  it.effect("under a tag that others use takes the image that they use, and then again", () =>
    Effect.gen(function* () {
      const { containerd, fs, images, importHeld, layout } = yield* world
      yield* fs.writeFileString(`${containerd}/images.json`, "{}")
      const { digest } = yield* plant(layout, yield* withGood({}))
      for (const movedBlobs of [4, 0]) assert.strictEqual((yield* importHeld(digest)).movedBlobs, movedBlobs)
      assert.deepStrictEqual(yield* images, { [name]: digest })
    })
  )

  it.effect("under a tag that others use refuses every other image before a name moves, and says both digests", () =>
    Effect.gen(function* () {
      const { calls, containerd, fs, importHeld, layout } = yield* world
      const { digest } = yield* plant(layout, yield* withGood({}))
      const used = `sha256:${"c".repeat(64)}`
      const failure = yield* outcomeOf(importHeld(used))
      assert.deepStrictEqual(failure, {
        reason: "TagConflict",
        message: `${name} is ${used} for x86_64-linux, but this build gave ${digest}. The namespaces a and b use the tag.`
      })
      assert.isFalse(yield* fs.exists(`${containerd}/calls`))
      // What the node had before it was shared stays too.
      const there = yield* outcomeOf(importHeld(digest))
      assert.strictEqual(there.reason, "TagConflict")
      assert.include(
        there.message,
        `${name} is ${digest} for x86_64-linux, but this node has ${older[name]} under that tag.`
      )
      assert.isFalse((yield* calls).some((call) => call.startsWith("images pull")))
    })
  )

  it.effect("that containerd cannot unpack leaves the tag as it was", () =>
    Effect.gen(function* () {
      const { containerd, fs, images, importLayout, layout } = yield* world
      yield* plant(layout, yield* withGood({}))
      yield* fs.writeFileString(`${containerd}/fail-unpack`, "")
      const failure = yield* outcomeOf(importLayout)
      assert.strictEqual(failure.reason, "ImportFailed")
      assert.match(failure.message, /wrong diff id calculated/u)
      assert.deepStrictEqual(yield* images, older)
    })
  )

  const changes: Readonly<
    Record<string, readonly [RegExp, (path: string) => Effect.Effect<void, unknown, FileSystem.FileSystem>]>
  > = {
    "a link": [
      /SymbolicLink, not a file/u,
      (path) =>
        Effect.gen(function* () {
          const fs = yield* FileSystem.FileSystem
          yield* fs.rename(path, `${path}-moved`)
          yield* fs.symlink(`${path}-moved`, path)
        })
    ],
    "other bytes": [
      /Layer 1 has the diff id/u,
      (path) =>
        Effect.gen(function* () {
          const fs = yield* FileSystem.FileSystem
          const bytes = yield* fs.readFile(path)
          yield* fs.writeFile(path, Buffer.from(bytes).fill("x", 512, 513))
        })
    ],
    "more bytes": [
      /not what its size says/u,
      (path) => FileSystem.FileSystem.use((fs) => fs.writeFileString(path, "more", { flag: "a" }))
    ],
    nothing: [/ENOENT|NotFound/u, (path) => FileSystem.FileSystem.use((fs) => fs.remove(path))]
  }
  for (const [what, [message, change]] of Object.entries(changes)) {
    it.effect(`finds ${what} in a layer's place: its reason, and containerd is as before`, () =>
      Effect.gen(function* () {
        const { images, importLayout, layout } = yield* world
        const { blobs, layers } = yield* plant(layout, yield* withGood({}))
        yield* change(`${blobs}/${layers[0]?.digest.slice(7)}`)
        const failure = yield* outcomeOf(importLayout)
        assert.match(failure.message, message)
        assert.deepStrictEqual(yield* images, older)
      })
    )
  }

  it.effect("that is told to end lets ctr end by itself, and leaves no name, no lease, no blob", () =>
    Effect.gen(function* () {
      const { calls, containerd, fs, images, importLayout, layout } = yield* world
      const bytes = yield* collect([Tar.file("big", randomBytes(4_000_000))])
      const { layers } = yield* plant(layout, { layers: [bytes] })
      yield* fs.writeFileString(`${containerd}/slow`, "")
      const importing = yield* Effect.forkChild(importLayout)
      const hex = layers[0]?.digest.slice(7)
      yield* fs
        .exists(`${containerd}/incoming-${hex}`)
        .pipe(
          Effect.repeat({ until: (is) => is, schedule: Schedule.spaced("10 millis") }),
          Effect.timeout("60 seconds")
        )
      yield* Effect.timeout(Fiber.interrupt(importing), "60 seconds")
      assert.deepStrictEqual(yield* images, older)
      assert.isFalse(yield* fs.exists(`${containerd}/lease`), "who is killed cannot delete its lease")
      assert.deepStrictEqual(
        yield* fs.readDirectory(`${containerd}/blobs`).pipe(Effect.map((names) => names.includes(hex ?? ""))),
        false
      )
      assert.match((yield* calls).at(-1) ?? "", /^images rm .*:enbi-import-/u)
    })
  )
})
