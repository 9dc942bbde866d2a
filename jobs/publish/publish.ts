/**
 * The publish Job's program: pushes the layout that the build Job left on the
 * cache volume to the image registry, from which nodes pull it. Nothing that
 * the build made is executed here, and no name in it is used. `importer-status`
 * reads the termination message, which has the form of an import's.
 */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { Effect } from "effect"
import { openLayout } from "../../lib/oci/open-layout.ts"
import { hold } from "../cache/locks.ts"
import { orFailure } from "../disk-full.ts"
import { layoutFailure } from "../image-failure.ts"
import { runJob } from "../run.ts"
import { publishSettings } from "../settings.ts"
import { pushImage } from "./push.ts"

runJob(
  Effect.gen(function* () {
    const settings = yield* publishSettings
    // As for an import: the layout of a NixBuild that is deleted meanwhile stays until the image is in the registry.
    const { cache } = settings
    yield* hold({ path: cache.lock, mode: "shared", waitingFor: "the collection of the cache" })
    const layout = yield* Effect.mapError(openLayout(cache.layout(settings.uid)), (error) =>
      layoutFailure(error, "PublishFailed")
    )
    return yield* pushImage(settings, layout).pipe(
      Effect.catchTag("PlatformError", (error) => Effect.fail(orFailure("PublishFailed")(error)))
    )
  }).pipe(Effect.scoped, Effect.provide(NodeHttpClient.layerNodeHttp))
)
