/**
 * The import Job's program: serves the layout that the build Job left on the
 * cache volume on this Pod's own loopback, and has containerd pull it under
 * the NixBuild's tag. Nothing that the build made is executed here, and no
 * name in it is used. `importer-status` reads the termination message.
 */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { Console, Effect, FileSystem, Layer, Option, Ref } from "effect"
import { HttpRouter, HttpServer } from "effect/http"
import { createServer } from "node:http"
import { architectureOf } from "../lib/api/system.ts"
import { layoutRoutes, makeServed } from "../lib/oci/layout-server.ts"
import { type Layout, openLayout } from "../lib/oci/open-layout.ts"
import { formatReference, parseReference, type Reference } from "../lib/oci/reference.ts"
import { Failure } from "../lib/oci/result.ts"
import { digestInContainerd, pull } from "./containerd.ts"
import { orFailure } from "./disk.ts"
import { runJob } from "./job.ts"
import { hold } from "./locks.ts"
import { importSettings, type ImportSettings } from "./settings.ts"

const importImage = Effect.fn("import")(function* (settings: ImportSettings, reference: Reference, layout: Layout) {
  const architecture = architectureOf(settings.system)
  const found = layout.manifest.platform?.architecture
  if (found !== architecture) {
    return yield* new Failure({
      reason: "WrongArchitecture",
      message: `The image is for ${found ?? "no architecture"}, but this is a node for ${architecture}: check spec.system.`,
      log: ""
    })
  }
  const name = formatReference(reference)
  const served = yield* makeServed
  const routes = HttpRouter.serve(layoutRoutes(layout, served), { disableLogger: true, disableListenLog: true })
  const server = routes.pipe(Layer.provideMerge(NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1" })))
  yield* Effect.gen(function* () {
    const hostsDirectory = yield* writeHosts(reference.domain)
    yield* pull({ socket: settings.socket, hostsDirectory, architecture, reference: name })
  }).pipe(Effect.scoped, Effect.provide(server))

  const digest = yield* digestInContainerd({ socket: settings.socket, reference: name })
  if (digest !== layout.index.digest) {
    return yield* new Failure({
      reason: "ImportFailed",
      message: `containerd has ${digest ?? "nothing"} as ${name} instead of ${layout.index.digest}: something else writes this tag.`,
      log: ""
    })
  }
  const { blobs, bytes } = yield* Ref.get(served)
  yield* Console.log(`${name} is ${digest}: ${blobs} blobs, ${bytes} bytes moved`)
  return {
    outcome: "Succeeded" as const,
    digest,
    configDigest: layout.config.digest,
    // CRI's size of an image is what its descriptors say: index, manifest, config and layers, a layer as often as it
    // is listed (containerd, `CalculateImageUsage` with `WithManifestUsage`).
    sizeBytes: [layout.index, layout.manifest, layout.config, ...layout.layers].reduce(
      (sum, { size }) => sum + size,
      0
    ),
    movedBlobs: blobs,
    movedBytes: bytes
  }
})

/** Tells ctr that the tag's registry is our server, and that there is no other. */
const writeHosts = Effect.fnUntraced(function* (domain: string) {
  const fs = yield* FileSystem.FileSystem
  const url = yield* HttpServer.addressFormattedWith((address) => Effect.succeed(address))
  const directory = yield* fs.makeTempDirectoryScoped()
  yield* fs.makeDirectory(`${directory}/${domain}`)
  yield* fs.writeFileString(
    `${directory}/${domain}/hosts.toml`,
    `server = "${url}"\n\n[host."${url}"]\n  capabilities = ["pull", "resolve"]\n`
  )
  return directory
})

const importFailed = (message: string) => new Failure({ reason: "ImportFailed", message, log: "" })

runJob(
  Effect.gen(function* () {
    const settings = yield* importSettings
    const reference = parseReference(settings.imageTag)
    if (Option.isNone(reference)) {
      return yield* importFailed(`${settings.imageTag} is no image name: correct spec.imageTag.`)
    }
    // The layout of a NixBuild that is deleted meanwhile stays until the image is in. Imports are short and follow
    // builds, so they pass a collection that waits.
    const { cache } = settings
    yield* hold({ path: cache.lock, mode: "shared", waitingFor: "the collection of the cache" })
    const layout = yield* openLayout(cache.layout(settings.uid)).pipe(
      Effect.mapError((error) => importFailed(`The build's result cannot be read (${error.message}): retry the build.`))
    )
    return yield* importImage(settings, reference.value, layout).pipe(
      Effect.catchTag("PlatformError", (error) => Effect.fail(orFailure("ImportFailed")(error)))
    )
  }).pipe(Effect.scoped)
)
