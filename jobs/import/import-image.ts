/**
 * Has containerd pull a layout from a server on this container's own loopback,
 * so that the tag names the image when all of it is there and unpacked, and
 * otherwise what it named before:
 *
 *     pull as <repository>:enbi-import-<uid> ─▶ pull as the tag ─▶ forget the first name
 *       moves the blobs, unpacks them            moves nothing
 *
 * Where the tag may name one image only, any other is refused before that.
 */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { Console, Deferred, Effect, Fiber, Layer, Option, type PlatformError, Ref } from "effect"
import { HttpRouter, HttpServer } from "effect/http"
import { createServer } from "node:http"
import { architectureOf } from "../../lib/api/system.ts"
import { distributionRoutes } from "../../lib/oci/distribution-routes.ts"
import { layoutStore, makeServing, type Serving } from "../../lib/oci/layout-store.ts"
import type { Layout } from "../../lib/oci/open-layout.ts"
import { formatReference, type Reference } from "../../lib/oci/reference.ts"
import { Failure } from "../../lib/nixbuild/job-result.ts"
import { digestInContainerd, managedByCri, pull, removeName, writeHosts } from "./containerd.ts"
import { importFailed, layoutFailure } from "../image-failure.ts"
import { holdToSystem, sizeOf } from "../layout.ts"
import type { ImportSettings } from "../settings.ts"

/** Imports the layout under the tag; the result is the Job's. */
export const importImage = Effect.fn("import")(function* (
  settings: Omit<ImportSettings, "cache">,
  reference: Reference,
  layout: Layout
) {
  yield* holdToSystem(layout, settings.system)
  const architecture = architectureOf(settings.system)
  const name = formatReference(reference)
  yield* holdToExpected(settings, { name, digest: layout.index.digest })
  const temporary = formatReference({ ...reference, tag: Option.some(`enbi-import-${settings.uid}`) })
  const serving = yield* makeServing
  const server = HttpRouter.serve(distributionRoutes, { disableLogger: true, disableListenLog: true }).pipe(
    Layer.provide(layoutStore(layout, serving)),
    Layer.provideMerge(NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1" }))
  )
  const { socket } = settings
  yield* Effect.gen(function* () {
    const url = yield* HttpServer.addressFormattedWith((address) => Effect.succeed(address))
    const hostsDirectory = yield* writeHosts(reference.domain, url)
    // Whatever happens after this, and if it is the end of this container: only SIGKILL leaves the name behind. Then
    // the next try takes it away, or kubelet when it collects images.
    yield* Effect.addFinalizer(() => Effect.ignore(removeName({ socket, reference: temporary })))
    const first = { socket, hostsDirectory, architecture, reference: temporary, labels: [managedByCri] }
    yield* untilRefused(pull(first), serving)
    yield* pull({ socket, hostsDirectory, architecture, reference: name })
  }).pipe(Effect.scoped, Effect.provide(server))

  const digest = yield* digestInContainerd({ socket, reference: name })
  if (digest !== layout.index.digest) {
    return yield* importFailed(
      `containerd has ${digest ?? "nothing"} as ${name} instead of ${layout.index.digest}: something else writes this tag.`
    )
  }
  const { blobs, bytes } = yield* Ref.get(serving.served)
  yield* Console.log(`${name} is ${digest}: ${blobs} blobs, ${bytes} bytes copied`)
  return {
    outcome: "Succeeded" as const,
    digest,
    configDigest: layout.config.digest,
    sizeBytes: sizeOf(layout),
    movedBlobs: blobs,
    movedBytes: bytes
  }
})

/**
 * Where other namespaces use the tag too, no name moves unless it is to the
 * image that they use, and where it names another already it stays as it is.
 */
const holdToExpected = Effect.fnUntraced(function* (
  { expectedDigest, socket, system, tagUse }: Omit<ImportSettings, "cache">,
  built: { readonly name: string; readonly digest: string }
) {
  if (Option.isNone(expectedDigest)) return
  const { digest, name } = built
  const expected = expectedDigest.value
  const conflict = (message: string) => new Failure({ reason: "TagConflict", message: `${message} ${tagUse}`, log: "" })
  if (digest !== expected) {
    return yield* conflict(`${name} is ${expected} for ${system}, but this build gave ${digest}.`)
  }
  const there = yield* digestInContainerd({ socket, reference: name })
  if (there !== undefined && there !== expected) {
    return yield* conflict(`${name} is ${expected} for ${system}, but this node has ${there} under that tag.`)
  }
})

/**
 * What the server refused says more than what ctr made of it. When this program
 * is told to end, ctr is let to end by itself, by a refusal, because killed it
 * would leave its lease, and with it what it has fetched, for 24 hours.
 * Otherwise containerd collects half an image once the lease is gone.
 */
const untilRefused = Effect.fnUntraced(function* <A, R>(
  pulling: Effect.Effect<A, Failure | PlatformError.PlatformError, R>,
  { refused }: Serving
) {
  const fiber = yield* Effect.forkScoped(pulling)
  yield* Fiber.join(fiber).pipe(
    Effect.onInterrupt(() =>
      Effect.andThen(
        Deferred.fail(refused, interrupted),
        Effect.ignore(Effect.timeout(Fiber.await(fiber), "5 seconds"))
      )
    ),
    Effect.catch(
      Effect.fnUntraced(function* (error) {
        if (!(yield* Deferred.isDone(refused))) return yield* Effect.fail(error)
        const log = error instanceof Failure ? error.log : ""
        return yield* Effect.catch(Deferred.await(refused), (why) => {
          const { message, reason } = layoutFailure(why)
          return Effect.fail(new Failure({ reason, message, log }))
        })
      })
    )
  )
})

const interrupted = importFailed("The import was cancelled.")
