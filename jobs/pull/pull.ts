/**
 * The pull Job's program: has containerd pull an image from the registry of the
 * cluster under the name that a Pod has, whatever registry that names.
 */
import { Effect, Option } from "effect"
import { architectureOf } from "../../lib/api/system.ts"
import { formatReference, parseReference } from "../../lib/oci/reference.ts"
import { orFailure } from "../disk-full.ts"
import { importFailed } from "../image-failure.ts"
import { digestInContainerd, managedByCri, pull, writeHosts } from "../import/containerd.ts"
import { runJob } from "../run.ts"
import { pullSettings } from "../settings.ts"

runJob(
  Effect.gen(function* () {
    const { imageTag, registryUrl, socket, system } = yield* pullSettings
    const reference = parseReference(imageTag)
    if (Option.isNone(reference)) return yield* importFailed(`${imageTag} is not an image name.`)
    const name = formatReference(reference.value)
    const hostsDirectory = yield* writeHosts(reference.value.domain, registryUrl)
    yield* pull({
      socket,
      hostsDirectory,
      architecture: architectureOf(system),
      reference: name,
      labels: [managedByCri]
    })
    const digest = yield* digestInContainerd({ socket, reference: name })
    if (digest === undefined)
      return yield* importFailed(`containerd has nothing as ${name}: something else removes it.`)
    return { outcome: "Succeeded" as const, digest }
  }).pipe(
    Effect.catchTag("PlatformError", (error) => Effect.fail(orFailure("ImportFailed")(error))),
    Effect.scoped
  )
)
