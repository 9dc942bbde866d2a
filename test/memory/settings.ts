/** Settings for functions that run over the API server in memory. */
import { Layer } from "effect"
import { Settings } from "../../lib/settings.ts"

export const settings = Layer.succeed(Settings, {
  builderImage: "enbi-builder:test",
  // More than the stories have builds, so that the order of things does not choose the nodes.
  maxBuildsPerNode: 10,
  nodeRepel: [],
  substituters: [],
  trustedPublicKeys: [],
  cacheLimitBytes: 0
})
