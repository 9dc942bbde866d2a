/** The cluster that the kubeconfig of a test leads to: an API server in memory, on HTTP. */
import { Effect, Layer, Stream } from "effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import type { ApiServer } from "../memory/api-server.ts"
import { settings } from "../memory/given.ts"
import { makeFront } from "../../lib/memory/http.ts"
import type { Routes } from "./serve.ts"

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

interface Besides {
  /** What a container has logged; `asked` is such as `apps/hello?container=app&follow=true`. */
  readonly log?: (asked: string) => string | Effect.Effect<HttpServerResponse.HttpServerResponse>
  /** Which of the two is not there: `enbi-functions` or `enbi-builder`. */
  readonly missing?: string
}

/** The API server, which besides knows the Deployment of the functions with its ConfigMap, and logs. */
export const leadingTo = (server: ApiServer, { log = () => "", missing = "" }: Besides = {}): Routes => {
  const { objects } = server
  const found = (path: `/${string}`, name: string, object: unknown) =>
    HttpRouter.add(
      "GET",
      `${path}/${name}`,
      name === missing ? HttpServerResponse.empty({ status: 404 }) : HttpServerResponse.jsonUnsafe(object)
    )
  return Layer.mergeAll(
    found("/apis/apps/v1/namespaces/enbi-system/deployments", "enbi-functions", deployment),
    found("/api/v1/namespaces/enbi-system/configmaps", "enbi-builder", configMap),
    HttpRouter.add(
      "GET",
      "/api/v1/namespaces/:namespace/pods/:name/log",
      Effect.gen(function* () {
        const { url } = yield* HttpServerRequest.HttpServerRequest
        const { pathname, search } = new URL(url, "http://localhost")
        const [, namespace = "", name = ""] = /namespaces\/([^/]+)\/pods\/([^/]+)/.exec(pathname) ?? []
        const answer = log(`${namespace}/${name}${search}`)
        return typeof answer === "string" ? HttpServerResponse.text(answer) : yield* answer
      })
    ),
    makeFront(
      objects,
      server.connect(() => Stream.never)
    ).routes
  )
}
