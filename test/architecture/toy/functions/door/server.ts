import { NodeHttpServer } from "@effect/platform-node"
import { Effect, Layer } from "effect"
import { HttpRouter, HttpServerResponse } from "effect/http"
import { createServer } from "node:http"
import { all } from "../../../../../lib/kubernetes/question.ts"
import { Cluster } from "../../../../../lib/kubernetes/cluster.ts"
import { defineServer } from "../../../../../lib/runtime/definition.ts"
import { allow } from "../../../../../lib/runtime/function.ts"
import { greetings } from "../../api/greeting.ts"

const knock = HttpRouter.add(
  "GET",
  "/knock",
  Effect.gen(function* () {
    const cluster = yield* Cluster
    const found = yield* Effect.orDie(cluster.list(all(greetings)))
    return HttpServerResponse.text(found.map(({ status }) => status?.words ?? "").join("\n"))
  })
)

/** Tells whoever knocks what was said. */
export default defineServer({
  name: "door",
  ports: [{ name: "http", containerPort: 8081, servicePort: 80 }],
  settings: { DOOR_WORDS: "Come in!" },
  permissions: [allow(greetings, "list")],
  layer: HttpRouter.serve(knock, { disableLogger: true, disableListenLog: true }).pipe(
    Layer.provide(NodeHttpServer.layer(createServer, { port: 8081, host: "127.0.0.1" }))
  )
})
