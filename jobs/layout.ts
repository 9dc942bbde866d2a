/** What the Jobs that bring an image on its way ask and say of its layout, wherever it goes. */
import { Effect } from "effect"
import { architectureOf, type systems } from "../lib/api/system.ts"
import { Failure } from "../lib/nixbuild/job-result.ts"
import type { Layout } from "../lib/oci/open-layout.ts"

/** Fails if the image is for another architecture than the system's. */
export const holdToSystem = ({ manifest }: Layout, system: (typeof systems)[number]) => {
  const found = manifest.platform.architecture
  const architecture = architectureOf(system)
  return found === architecture
    ? Effect.void
    : Effect.fail(
        new Failure({
          reason: "WrongArchitecture",
          message: `The image is for ${found}, but this node is for ${architecture}: check spec.system.`,
          log: ""
        })
      )
}

/**
 * CRI's size of an image, which is what its descriptors say: index, manifest,
 * config and layers, a layer as often as it is listed (containerd,
 * `CalculateImageUsage` with `WithManifestUsage`).
 */
export const sizeOf = ({ config, index, layers, manifest }: Layout): number =>
  [index, manifest, config, ...layers].reduce((sum, { size }) => sum + size, 0)
