/** The kubectl that leads to an API server in memory: its proxy listens on the socket that it is given. */
import { NodeHttpServer } from "@effect/platform-node"
import { Effect, Layer, Stream } from "effect"
import { HttpRouter } from "effect/http"
import { createServer } from "node:http"
import type { ApiServer } from "../memory/api-server.ts"
import { settings } from "../memory/given.ts"
import { makeFront } from "../../lib/memory/http.ts"
import type { Kubectl } from "./run.ts"

const deployment = {
  spec: {
    template: {
      spec: {
        containers: [
          {
            env: [
              { name: "BUILDER_IMAGE", valueFrom: { configMapKeyRef: { name: "enbi-builder", key: "BUILDER_IMAGE" } } },
              { name: "MAX_BUILDS_PER_NODE", value: String(settings.maxBuildsPerNode) },
              { name: "POD_NAME", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } }
            ]
          }
        ]
      }
    }
  }
}
const configMap = { data: { BUILDER_IMAGE: settings.builderImage } }

/** Besides, it knows the Deployment of the functions with its ConfigMap, and the decisions in `log`. */
export const leadingTo =
  (server: ApiServer, log = ""): Kubectl =>
  (words) => {
    const [verb] = words
    if (verb === "logs") return { stdout: log }
    if (verb === "get") {
      return { stdout: JSON.stringify(words.includes("configmap/enbi-builder") ? configMap : deployment) }
    }
    const path = words.find((word) => word.startsWith("--unix-socket="))?.slice("--unix-socket=".length)
    if (verb !== "proxy" || path === undefined) return undefined
    const { routes } = makeFront(
      server.objects,
      server.connect(() => Stream.never)
    )
    return HttpRouter.serve(routes, { disableLogger: true, disableListenLog: true }).pipe(
      Layer.provide(NodeHttpServer.layerServer(createServer, { path })),
      Layer.build,
      Effect.orDie,
      Effect.as({ stdout: `Starting to serve on ${path}\n` })
    )
  }
