/**
 * The image registry of the cluster: it serves what NixImages are built into,
 * and says how far the rest is. Everybody reads on port 5080; on port 5081 the
 * Jobs that publish images push them.
 */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { Effect, Layer } from "effect"
import { HttpRouter } from "effect/http"
import { createServer } from "node:http"
import { nixImages } from "../../lib/api/niximage.ts"
import { ContentStore } from "../../lib/oci/content-store.ts"
import { denied, nameUnknown } from "../../lib/oci/distribution.ts"
import { distributionRoutes } from "../../lib/oci/distribution-routes.ts"
import { defineServer } from "../../lib/runtime/definition.ts"
import { allow } from "../../lib/runtime/function.ts"

const nothing = Layer.succeed(ContentStore, {
  manifest: ({ name }) => Effect.fail(nameUnknown(name)),
  blob: ({ name }) => Effect.fail(nameUnknown(name)),
  tags: (name) => Effect.fail(nameUnknown(name))
})

const refused = Layer.succeed(ContentStore, {
  manifest: () => Effect.fail(denied("Only publish Jobs may push.")),
  blob: () => Effect.fail(denied("Only publish Jobs may push.")),
  tags: () => Effect.fail(denied("Only publish Jobs may push."))
})

const listening = (port: number, store: Layer.Layer<ContentStore>) =>
  HttpRouter.serve(distributionRoutes, { disableLogger: true, disableListenLog: true }).pipe(
    Layer.provide(store),
    Layer.provide(NodeHttpServer.layer(() => createServer(), { port }))
  )

export default defineServer({
  name: "image-registry",
  ports: [
    { name: "registry", containerPort: 5080 },
    { name: "publish", containerPort: 5081 }
  ],
  settings: {
    REGISTRY_STORAGE: "/var/lib/registry",
    DISTRIBUTION_URL: "http://127.0.0.1:5000",
    REGISTRY_CATALOG: "false"
  },
  component: "registry",
  permissions: [allow(nixImages, "list", "watch")],
  layer: Layer.merge(listening(5080, nothing), listening(5081, refused))
})
