/** The kubectl that leads to an API server in memory: its proxy listens on the socket that it is given. */
import { NodeHttpServer } from "@effect/platform-node"
import { Effect, Layer, Stream } from "effect"
import { HttpRouter } from "effect/http"
import { createServer } from "node:http"
import type { ApiServer } from "../memory/api-server.ts"
import { settings } from "../memory/given.ts"
import { routesTo } from "../memory/http.ts"
import type { Kubectl } from "./run.ts"

const environment = { BUILDER_IMAGE: settings.builderImage, MAX_BUILDS_PER_NODE: String(settings.maxBuildsPerNode) }
const deployment = {
  spec: {
    template: {
      spec: { containers: [{ env: Object.entries(environment).map(([name, value]) => ({ name, value })) }] }
    }
  }
}

/** Besides, it knows the Deployment of the functions, and the decisions in `log`. */
export const leadingTo =
  (server: ApiServer, log = ""): Kubectl =>
  (words) => {
    const [verb] = words
    if (verb === "logs") return { stdout: log }
    if (verb === "get") return { stdout: JSON.stringify(deployment) }
    const path = words.find((word) => word.startsWith("--unix-socket="))?.slice("--unix-socket=".length)
    if (verb !== "proxy" || path === undefined) return undefined
    const routes = routesTo(
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
