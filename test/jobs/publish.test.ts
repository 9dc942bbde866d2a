/** What a publish Job brings into a registry, and what it says when it can't, against a stand-in on loopback. */
import { NodeHttpClient, NodeHttpServer, NodeServices } from "@effect/platform-node"
import { assert, layer } from "@effect/vitest"
import { Effect, FileSystem, Layer, Schema, Stream } from "effect"
import { Tar } from "effect/encoding"
import { HttpServerResponse } from "effect/http"
import { ChildProcess, ChildProcessSpawner } from "effect/process"
import { createHash, randomBytes } from "node:crypto"
import { createServer } from "node:http"
import { pushImage } from "../../jobs/publish/push.ts"
import { Retries } from "../../jobs/publish/registry.ts"
import { cacheAt } from "../../lib/nixbuild/job-contract.ts"
import { ImportResult } from "../../lib/nixbuild/job-result.ts"
import { openLayout } from "../../lib/oci/open-layout.ts"
import { collect } from "../oci/archives.ts"
import { plant, type Planted } from "../oci/plant.ts"
import { makeCache, own } from "./cache.ts"
import { cut, refusal, startRegistry } from "./stand-in-registry.ts"

const world = Effect.gen(function* () {
  const fs = yield* FileSystem.FileSystem
  const directory = yield* fs.realPath(yield* fs.makeTempDirectoryScoped())
  const registry = yield* startRegistry
  const tokenFile = `${directory}/token`
  yield* fs.writeFileString(tokenFile, `${registry.test.token}\n`)
  const settings = {
    registry: { url: registry.url, repository: "builds/ns1", tokenFile },
    system: "x86_64-linux" as const
  }
  /** Plants an image of these layers. */
  const plantImage = Effect.fnUntraced(function* (planted: Planted) {
    const path = yield* fs.makeTempDirectoryScoped({ directory })
    const found = yield* plant(path, planted)
    return { ...found, layout: yield* openLayout(path) }
  })
  const push = Effect.fnUntraced(function* (planted: Planted) {
    const { layout } = yield* plantImage(planted)
    return { layout, result: yield* pushImage(settings, layout) }
  })
  const refusedPush = Effect.fnUntraced(function* (planted: Planted, at = settings) {
    const { layout } = yield* plantImage(planted)
    return yield* failureOf(pushImage(at, layout))
  })
  return { ...registry, fs, settings, tokenFile, plantImage, push, refusedPush }
})

const failureOf = (self: ReturnType<typeof pushImage>) =>
  Effect.flip(Effect.catchTag(self, "PlatformError", Effect.die))

const layerOf = (name: string, bytes: Uint8Array | string = name) => collect([Tar.file(name, bytes)])
const base = layerOf("base")
const app = layerOf("app")
const twoLayers = Effect.map(Effect.all([base, app]), (layers): Planted => ({ layers }))

const big = layerOf("big", randomBytes(3_000_000))

const isUpload = (asked: string): boolean => asked.startsWith("PUT ") && asked.includes("/uploads/")

interface Rejection {
  readonly when: Partial<Effect.Success<typeof startRegistry>["test"]>
  readonly message: RegExp
  /** How many it takes until the failure; absent: it does not matter. */
  readonly requests?: number
}

interface Spoilt {
  readonly planted: Effect.Effect<Planted>
  /** What becomes of the last layer after the layout was opened. */
  readonly change?: (path: string) => Effect.Effect<void, unknown, FileSystem.FileSystem>
  readonly reason: string
  readonly message: RegExp
}

const spoilt: Readonly<Record<string, Spoilt>> = {
  "a setuid file at the end of a layer": {
    planted: Effect.map(
      collect([Tar.file("more", randomBytes(3_000_000)), Tar.file("bin/su", "x", { mode: 0o4755 })]),
      (bytes) => ({ layers: [bytes] })
    ),
    reason: "ForbiddenContent",
    message: /Layer 1: bin\/su is a setuid/u
  },
  "a layer that is no tar": {
    planted: Effect.map(base, (bytes) => ({ layers: [bytes, Buffer.alloc(2048, "x")] })),
    reason: "NotAnImage",
    message: /Layer 2 cannot be read/u
  },
  "a layer that is a link by now": {
    planted: twoLayers,
    change: (path) =>
      Effect.gen(function* () {
        const fs = yield* FileSystem.FileSystem
        yield* fs.rename(path, `${path}-moved`)
        yield* fs.symlink(`${path}-moved`, path)
      }),
    reason: "PublishFailed",
    message: /SymbolicLink, not a file\): retry the build/u
  },
  "a layer that has other bytes by now": {
    planted: twoLayers,
    change: (path) =>
      Effect.gen(function* () {
        const fs = yield* FileSystem.FileSystem
        const bytes = yield* fs.readFile(path)
        yield* fs.writeFile(path, Buffer.from(bytes).fill("x", 512, 513))
      }),
    reason: "NotAnImage",
    message: /Layer 2 has the diff id/u
  },
  "a layer that is gone by now": {
    planted: twoLayers,
    change: (path) => FileSystem.FileSystem.use((fs) => fs.remove(path)),
    reason: "PublishFailed",
    message: /cannot be read/u
  }
}

const urlOfNobody = Effect.scoped(
  Effect.map(NodeHttpServer.make(createServer, { port: 0, host: "127.0.0.1" }), ({ address }) =>
    address._tag === "UnixPathAddress" ? "" : `http://127.0.0.1:${address.port}`
  )
)

const services = Layer.mergeAll(
  NodeServices.layer,
  NodeHttpClient.layerNodeHttp,
  Layer.succeed(Retries, { times: 4, firstMillis: 1 })
)

layer(services, { excludeTestServices: true })("a publish", (it) => {
  it.effect("brings all of an image, parts before what names them, by digest; done again it moves nothing", () =>
    Effect.gen(function* () {
      const { asked, blobs, manifests, push } = yield* world
      const { layout, result } = yield* push(yield* twoLayers)
      const { config, index, layers, manifest } = layout
      const sizes = [config, ...layers, manifest, index].map(({ size }) => size)
      const all = sizes.reduce((sum, size) => sum + size, 0)
      assert.deepStrictEqual(result, {
        outcome: "Succeeded",
        digest: index.digest,
        configDigest: config.digest,
        sizeBytes: all,
        movedBlobs: 5,
        movedBytes: all
      })
      assert.sameMembers(
        [...blobs.keys()],
        [config, ...layers].map(({ digest }) => digest)
      )
      assert.deepStrictEqual([...manifests.keys()], [manifest.digest, index.digest])
      asked.length = 0
      const again = (yield* push(yield* twoLayers)).result
      assert.deepStrictEqual(again, { ...result, movedBlobs: 0, movedBytes: 0 })
      assert.isTrue(asked.every((one) => one.startsWith("HEAD ")))
    })
  )

  it.effect("of an image that shares layers with one that is there moves only what differs", () =>
    Effect.gen(function* () {
      const { asked, push } = yield* world
      yield* push({ layers: [yield* base, yield* app] })
      asked.length = 0
      const { layout, result } = yield* push({ layers: [yield* base, yield* layerOf("other"), yield* base] })
      const [, other] = layout.layers
      const sizes = [layout.config, layout.manifest, layout.index].map(({ size }) => size)
      assert.strictEqual(
        result.movedBytes,
        sizes.reduce((sum, size) => sum + size, other?.size ?? 0)
      )
      assert.strictEqual(result.movedBlobs, 4)
      assert.strictEqual(asked.filter(isUpload).length, 2, "the layer and the configuration")
    })
  )

  it.effect("takes of where an upload goes on only the path, and keeps its token from other hosts", () =>
    Effect.gen(function* () {
      const { push, test } = yield* world
      test.locationOf = (path) => `http://distribution.invalid:5000${path}`
      assert.strictEqual((yield* push(yield* twoLayers)).result.movedBlobs, 5)
    })
  )

  it.effect("reads its token for each request: kubelet renews it while an upload goes on", () =>
    Effect.gen(function* () {
      const { fs, push, test, tokenFile } = yield* world
      let renewals = 0
      test.interfere = Effect.fnUntraced(function* () {
        test.token = `token-${(renewals += 1)}`
        yield* Effect.orDie(fs.writeFileString(tokenFile, `${test.token}\n`))
        return undefined
      })
      assert.strictEqual((yield* push(yield* twoLayers)).result.movedBlobs, 5)
      assert.isAbove(renewals, 5)
    })
  )

  it.effect("sends a blob whose upload was cut in the middle once more, and only that", () =>
    Effect.gen(function* () {
      const { asked, blobs, plantImage, settings, test } = yield* world
      const { layers, layout } = yield* plantImage({ layers: [yield* base, yield* big] })
      let receivedBytes = 0
      test.received = (bytes) => {
        const before = receivedBytes
        receivedBytes += bytes
        return before < 1_000_000 && receivedBytes >= 1_000_000 ? cut : Effect.void
      }
      const { movedBlobs } = yield* pushImage(settings, layout)
      assert.strictEqual(movedBlobs, 5)
      assert.isTrue(layers.every(({ digest }) => blobs.has(digest)))
      assert.lengthOf(asked.filter(isUpload), 4, "configuration, layer, layer, the same again")
    })
  )

  it.effect("does not send again what arrived although the answer was lost, and counts it", () =>
    Effect.gen(function* () {
      const { asked, push, test } = yield* world
      let isLost = false
      test.taken = () => {
        const isFirst = !isLost
        isLost = true
        return isFirst ? cut : Effect.void
      }
      assert.strictEqual((yield* push(yield* twoLayers)).result.movedBlobs, 5)
      assert.lengthOf(asked.filter(isUpload), 3)
    })
  )

  it.effect("outlives a registry that starts anew, and has forgotten the upload that it began", () =>
    Effect.gen(function* () {
      const { push, test } = yield* world
      const answers = [refusal(503, "UNAVAILABLE", "starting"), refusal(404, "BLOB_UPLOAD_UNKNOWN", "unknown"), cut]
      test.interfere = (what) => {
        const next = isUpload(what) ? answers.shift() : undefined
        return next === undefined ? Effect.succeed(undefined) : Effect.isEffect(next) ? next : Effect.succeed(next)
      }
      assert.strictEqual((yield* push(yield* twoLayers)).result.movedBlobs, 5)
      assert.lengthOf(answers, 0)
    })
  )

  it.effect("of 200 MB never holds more than a few of them, however slowly the registry reads", () =>
    Effect.gen(function* () {
      const { plantImage, settings, test } = yield* world
      const { layout } = yield* plantImage({ layers: [yield* base] })
      const part = yield* layerOf("big", Buffer.alloc(1_000_000, "x"))
      const [file, end] = [part.subarray(0, 512 + 512 * Math.ceil(1_000_000 / 512)), Buffer.alloc(1024)]
      const parts = [...Array.from({ length: 200 }, () => file), end]
      const digest = `sha256:${parts.reduce((hash, bytes) => hash.update(bytes), createHash("sha256")).digest("hex")}`
      let readBytes = 0
      let receivedBytes = 0
      let mostHeld = 0
      test.received = Effect.fnUntraced(function* (bytes) {
        receivedBytes += bytes
        // A turn of the loop for each part, in which a client that does not wait would read on.
        yield* Effect.yieldNow
        mostHeld = Math.max(mostHeld, readBytes - receivedBytes)
      })
      const [small] = layout.layers
      const [content] = layout.contents
      assert.isDefined(small)
      assert.isDefined(content)
      const large = {
        ...layout,
        layers: [small, { ...small, digest, size: 200 * file.length + end.length }],
        contents: [content, { ...content, digest, diffId: digest }],
        openLayer: (asked: Parameters<typeof layout.openLayer>[0]) =>
          asked.digest === digest
            ? Effect.succeed(
                Stream.rechunk(Stream.fromIterable(parts), 1).pipe(
                  Stream.tap((bytes) => Effect.sync(() => (readBytes += bytes.length)))
                )
              )
            : layout.openLayer(asked)
      }
      const { movedBytes } = yield* pushImage(settings, large)
      assert.isAbove(movedBytes, 200_000_000)
      assert.isBelow(mostHeld, 16_000_000)
    })
  )

  const rejections: Readonly<Record<string, Rejection>> = {
    "the token is another's": {
      when: { token: "another" },
      message:
        /does not accept this Job's token \(401\): check that ServiceAccount enbi-publish exists in enbi-system/u,
      requests: 1
    },
    "the token is not good for the repository": {
      when: {
        interfere: (what) => Effect.succeed(what.startsWith("POST ") ? refusal(403, "DENIED", "not yours") : undefined)
      },
      message: /does not let this Job push to builds\/ns1 \(403 DENIED not yours\).*kubectl logs -n enbi-system/u,
      requests: 2
    },
    "the storage is full, to the end": {
      when: {
        interfere: (what) => Effect.succeed(isUpload(what) ? refusal(500, "UNKNOWN", "no space left") : undefined)
      },
      message:
        /failed at the configuration \(500 UNKNOWN no space left\), also when it was tried again: check its storage/u,
      requests: 15
    },
    "each upload is cut": {
      when: { received: () => cut },
      message:
        /gave no answer about the configuration \(.+\): check that it runs \(kubectl get pods -n enbi-system\), and the setting REGISTRY_PUBLISH_URL/u,
      requests: 15
    },
    "a manifest is rejected": {
      when: {
        interfere: (what) =>
          Effect.succeed(
            what.startsWith("PUT /v2/builds/ns1/manifests/") ? refusal(400, "MANIFEST_INVALID", "no") : undefined
          )
      },
      message: /rejects the manifest \(400 MANIFEST_INVALID no\): read its log/u
    },
    "a gateway answers in another form": {
      when: { interfere: () => Effect.succeed(HttpServerResponse.text("<html>", { status: 405 })) },
      message: /rejects the configuration \(405\): read its log/u,
      requests: 1
    },
    "it does not say where an upload goes on": {
      when: { locationOf: () => "http://" },
      message: /rejects the configuration \(202 it does not say where to upload to\)/u
    }
  }
  for (const [what, { message, requests, when }] of Object.entries(rejections)) {
    it.effect(`fails where ${what}, and says what to do`, () =>
      Effect.gen(function* () {
        const { asked, manifests, refusedPush, test } = yield* world
        Object.assign(test, when)
        const failure = yield* refusedPush(yield* twoLayers)
        assert.strictEqual(failure.reason, "PublishFailed")
        assert.match(failure.message, message)
        assert.strictEqual(manifests.size, 0)
        if (requests !== undefined) assert.lengthOf(asked, requests)
      })
    )
  }

  it.effect("fails where no registry is, and says where it looked", () =>
    Effect.gen(function* () {
      const { refusedPush, settings } = yield* world
      const url = yield* urlOfNobody
      const failure = yield* refusedPush(yield* twoLayers, { ...settings, registry: { ...settings.registry, url } })
      assert.strictEqual(failure.reason, "PublishFailed")
      assert.include(failure.message, `The image registry at ${url} gave no answer about the configuration`)
      assert.include(failure.message, "ECONNREFUSED")
    })
  )

  it.effect("of an image for another machine asks the registry nothing", () =>
    Effect.gen(function* () {
      const { asked, refusedPush, settings } = yield* world
      const failure = yield* refusedPush(yield* twoLayers, { ...settings, system: "aarch64-linux" })
      assert.strictEqual(failure.reason, "WrongArchitecture")
      assert.lengthOf(asked, 0)
    })
  )

  for (const [what, { change, message, planted, reason }] of Object.entries(spoilt)) {
    it.effect(`of ${what} is refused with its reason, and the registry keeps neither layer nor manifest`, () =>
      Effect.gen(function* () {
        const { asked, blobs, manifests, plantImage, settings } = yield* world
        const { blobs: path, layers, layout } = yield* plantImage(yield* planted)
        const last = layers.at(-1)?.digest ?? ""
        yield* change?.(`${path}/${last.slice(7)}`) ?? Effect.void
        const failure = yield* failureOf(pushImage(settings, layout))
        assert.strictEqual(failure.reason, reason)
        assert.match(failure.message, message)
        assert.isFalse(blobs.has(last))
        assert.strictEqual(manifests.size, 0)
        const looks = asked.filter((one) => one.startsWith("HEAD "))
        assert.lengthOf(looks, layers.length + 1, "nothing is tried again")
      })
    )
  }

  it.effect("is the Job's program: it finds the layout on the cache volume, and its result is an import's", () =>
    Effect.gen(function* () {
      const { fs, manifests, settings, tokenFile } = yield* world
      const { root } = yield* makeCache
      const { digest } = yield* plant(cacheAt(root).layout(own), yield* twoLayers)
      const env = {
        PATH: String(process.env["PATH"]),
        CACHE: root,
        TERMINATION_LOG: `${root}/result`,
        NIXBUILD_UID: own,
        SYSTEM: settings.system,
        REGISTRY_URL: settings.registry.url,
        REPOSITORY: settings.registry.repository,
        TOKEN_FILE: tokenFile
      }
      const run = Effect.gen(function* () {
        const spawner = yield* ChildProcessSpawner.ChildProcessSpawner
        const program = ChildProcess.make(process.execPath, ["jobs/publish/publish.ts"], { env, stdin: "ignore" })
        const exitCode = Number(yield* spawner.exitCode(program))
        const text = yield* fs.readFileString(env.TERMINATION_LOG)
        return { exitCode, result: yield* Schema.decodeEffect(Schema.fromJsonString(ImportResult))(text) }
      })
      const { exitCode, result } = yield* run
      assert.strictEqual(exitCode, 0)
      assert.deepInclude(result, { outcome: "Succeeded", digest, movedBlobs: 5 })
      assert.isTrue(manifests.has(digest))
      yield* fs.remove(cacheAt(root).layout(own), { recursive: true })
      const failed = yield* run
      assert.strictEqual(failed.exitCode, 1)
      assert.deepInclude(failed.result, { outcome: "Failed", reason: "PublishFailed" })
    })
  )
})
