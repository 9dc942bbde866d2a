/**
 * `node bench/stand-in/main.ts <nodes> <pods> <builds>`: the stand-in as a
 * process of its own, until it is told to end. Its URL is its first line.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Console, Effect } from "effect"
import { serveCluster } from "./server.ts"

const [nodes = 3, pods = 100, builds = 100] = process.argv.slice(2).map(Number)

NodeRuntime.runMain(
  Effect.gen(function* () {
    const { url } = yield* serveCluster({ nodes, pods, builds })
    yield* Console.log(url)
    return yield* Effect.never
  }).pipe(Effect.scoped)
)
