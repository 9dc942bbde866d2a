/**
 * The import Job's program: serves the layout that the build Job left on the
 * cache volume on this Pod's own loopback, and has containerd pull it under
 * the NixBuild's tag. Nothing that the build made is executed here, and no
 * name in it is used. `importer-status` reads the termination message.
 */
import { Effect, Option } from "effect"
import { openLayout } from "../../lib/oci/open-layout.ts"
import { parseReference } from "../../lib/oci/reference.ts"
import { orFailure } from "../disk-full.ts"
import { importFailed, layoutFailure } from "../image-failure.ts"
import { importImage } from "./import-image.ts"
import { runJob } from "../run.ts"
import { hold } from "../cache/locks.ts"
import { importSettings } from "../settings.ts"

runJob(
  Effect.gen(function* () {
    const settings = yield* importSettings
    const reference = parseReference(settings.imageTag)
    if (Option.isNone(reference)) {
      return yield* importFailed(`${settings.imageTag} is not an image name: correct spec.imageTag.`)
    }
    // The layout of a NixBuild that is deleted meanwhile stays until the image is in. Imports are short and follow
    // builds, so they pass a collection that waits.
    const { cache } = settings
    yield* hold({ path: cache.lock, mode: "shared", waitingFor: "the collection of the cache" })
    const layout = yield* Effect.mapError(openLayout(cache.layout(settings.uid)), layoutFailure)
    return yield* importImage(settings, reference.value, layout).pipe(
      Effect.catchTag("PlatformError", (error) => Effect.fail(orFailure("ImportFailed")(error)))
    )
  }).pipe(Effect.scoped)
)
