/**
 * The image registry of the cluster: it serves what NixImages are built into,
 * and says how far the rest is. Everybody reads on port 5080; on port 5081 the
 * Jobs that publish images push them. CNCF Distribution, beside it in its Pod,
 * keeps them.
 */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { Layer } from "effect"
import { createServer } from "node:http"
import { nixBuilds } from "../../lib/api/nixbuild.ts"
import { nixImages } from "../../lib/api/niximage.ts"
import { tokenReviews } from "../../lib/kubernetes/kinds.ts"
import { defineServer } from "../../lib/runtime/definition.ts"
import { allow } from "../../lib/runtime/function.ts"
import { publish } from "./publish.ts"
import { registry } from "./registry.ts"
import { defaults } from "./settings.ts"
import { removal } from "./unused.ts"

const ports = { registry: 5080, publish: 5081 }

// In place of what the image sets for functions, which read whole lists: with it a hundred pulls at once took more than 100 MiB.
const nodeOptions = "--max-semi-space-size=1 --max-old-space-size=128"

// A client that takes nothing for so long is gone. Nodes keep their connections between pulls of one image.
const makeRegistryServer = () =>
  createServer({ headersTimeout: 10_000, requestTimeout: 30_000, keepAliveTimeout: 60_000 }).setTimeout(120_000)

// Gigabytes may take their time to come.
const makePublishServer = () => createServer({ headersTimeout: 10_000, requestTimeout: 0, keepAliveTimeout: 60_000 })

export default defineServer({
  name: "image-registry",
  ports: [
    { name: "registry", containerPort: ports.registry },
    { name: "publish", containerPort: ports.publish }
  ],
  settings: { ...defaults, NODE_OPTIONS: nodeOptions },
  component: "registry",
  permissions: [allow(nixImages, "list", "watch"), allow(tokenReviews, "create"), allow(nixBuilds, "list")],
  layer: Layer.mergeAll(
    removal,
    registry.pipe(Layer.provide(NodeHttpServer.layerServer(makeRegistryServer, { port: ports.registry }))),
    publish.pipe(Layer.provide(NodeHttpServer.layerServer(makePublishServer, { port: ports.publish })))
  )
})
