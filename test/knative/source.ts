/**
 * The stand-in for Knative's ApiServerSource and PingSource as a process:
 * `K_SINK=<url> KUBERNETES_URL=<url> node test/knative/source.ts` watches and
 * ticks as the sources of `eventing/` say, and sends all of it to `K_SINK`.
 *
 * Environment: that of `process.ts`, and `PING_INTERVAL` (30 seconds), which
 * takes the place of every PingSource's schedule, and `CE_SOURCE`, the URL that
 * events name as theirs. It tells its URL when no change from then on is lost:
 *
 * | request | what it does; answers 204 when that is so |
 * |---|---|
 * | GET /health/readiness | 200 when no change from now on is lost, 503 before |
 * | PUT /faults/gap | breaks off all watches: what changes from now on is never told |
 * | DELETE /faults/gap | lists and watches again, as after a 410 |
 * | PUT /faults/drop | drops every event but the ticks |
 * | DELETE /faults/drop | no longer |
 *
 * A restart is a SIGKILL and a new process.
 */
import { Config, Duration, Effect } from "effect"
import { KubernetesApi } from "../../lib/kubernetes/connection.ts"
import { answer, type Answer, type Request, serve } from "./http.ts"
import { makeSource } from "./make-source.ts"
import { announce, manifestsOf, runProcess } from "./process.ts"

const settings = Config.all({
  sink: Config.NonEmptyString("K_SINK"),
  pingInterval: Config.Duration("PING_INTERVAL").pipe(Config.withDefault(Duration.seconds(30))),
  apiServer: Config.String("CE_SOURCE").pipe(Config.withDefault("https://10.96.0.1:443"))
})

type Source = Effect.Success<ReturnType<typeof makeSource>>

const control =
  (source: Source) =>
  ({ method, target }: Request): Effect.Effect<Answer> => {
    const acts: Readonly<Record<string, Effect.Effect<unknown>>> = {
      "PUT /faults/gap": source.beginGap,
      "DELETE /faults/gap": source.endGap,
      "PUT /faults/drop": source.setDropping(true),
      "DELETE /faults/drop": source.setDropping(false)
    }
    if (`${method} ${target}` === "GET /health/readiness") {
      return Effect.map(source.isListed, (is) => answer(is ? 200 : 503))
    }
    const act = acts[`${method} ${target}`]
    return act === undefined ? Effect.succeed(answer(404)) : Effect.as(act, answer(204))
  }

runProcess((common) =>
  Effect.gen(function* () {
    const { apiServer, pingInterval, sink } = yield* settings
    const { apiServerSources, pingSources } = yield* manifestsOf(common)
    const source = yield* makeSource({
      apiServerSources,
      pingSources,
      sink,
      origin: { namespace: common.namespace, apiServer },
      pingInterval
    })
    const { url } = yield* serve({ port: common.port }, control(source))
    yield* source.ready
    yield* announce(url)
    return yield* Effect.never
  }).pipe(Effect.provide(KubernetesApi.layer))
)
