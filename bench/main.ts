/**
 * `npm run bench`: figures of this checkout, each beside its bare counterpart
 * from the same run, as a table and as .bench/results.json. Ceilings that are
 * missed are said, and are no failure. Arguments name the groups to measure;
 * `process`, `programs`, `dispatcher`, `reads` and `scale` need no cluster, and `scale` needs Docker.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Console, Effect, FileSystem, Layer, Result } from "effect"
import { CommandFailed } from "../tools/command.ts"
import { bringUp } from "../test/cluster/bring-up.ts"
import { Kubeconfig, layer } from "../test/cluster/kubectl.ts"
import { buildRows } from "./builds.ts"
import { dispatcherRows } from "./dispatcher.ts"
import { importRows } from "./import.ts"
import { podRows } from "./pods.ts"
import { processRows } from "./process.ts"
import { programRows } from "./programs.ts"
import { readRows } from "./reads.ts"
import { requestRows } from "./requests.ts"
import { type Row, summarize, table } from "./row.ts"
import { scaleRows } from "./scale.ts"

const onCluster = { builds: buildRows, requests: requestRows, import: importRows, pods: podRows }
const alone = {
  process: processRows,
  programs: programRows,
  dispatcher: dispatcherRows,
  reads: readRows,
  scale: scaleRows
}
const groups = [...Object.keys(alone), ...Object.keys(onCluster)]

const clusterRows = Effect.fnUntraced(function* (names: ReadonlyArray<string>) {
  const { builderImage, kubeconfig } = yield* bringUp
  const services = layer.pipe(Layer.provideMerge(Layer.succeed(Kubeconfig, kubeconfig)))
  const measure = Effect.gen(function* () {
    const rows: Array<Row> = []
    const failures: Array<string> = []
    for (const [name, group] of Object.entries(onCluster)) {
      if (!names.includes(name)) continue
      yield* Console.log(`measuring ${name} …`)
      // What the other groups measured took minutes, and is told all the same.
      const measured = yield* Effect.result(group(builderImage))
      if (Result.isSuccess(measured)) rows.push(...measured.success)
      else failures.push(`${name}: ${measured.failure.message}`)
    }
    return { rows, failures }
  })
  return yield* Effect.provide(measure, services)
})

const program = Effect.gen(function* () {
  const files = yield* FileSystem.FileSystem
  const asked = process.argv.slice(2)
  const names = asked.length === 0 ? groups : asked
  const unknown = names.filter((name) => !groups.includes(name))
  if (unknown.length > 0) {
    return yield* new CommandFailed({
      message: `Nothing is called ${unknown.join(", ")}: there are ${groups.join(", ")}.`
    })
  }
  const ofProcesses: Array<Row> = []
  for (const [name, group] of Object.entries(alone)) {
    if (names.includes(name)) ofProcesses.push(...(yield* group))
  }
  const isOnCluster = names.some((name) => Object.hasOwn(onCluster, name))
  const ofCluster = isOnCluster ? yield* clusterRows(names) : { rows: [], failures: [] }
  const rows = [...ofProcesses, ...ofCluster.rows]
  yield* files.makeDirectory(".bench", { recursive: true })
  yield* files.writeFileString(".bench/results.json", `${JSON.stringify(rows.map(summarize), undefined, 2)}\n`)
  const missed = rows.map(summarize).filter(({ holds }) => holds === false)
  yield* Console.log(`\n${table(rows)}\n`)
  yield* Console.log(
    missed.length === 0 ? "All ceilings hold." : `Ceilings missed: ${missed.map(({ what }) => what).join("; ")}.`
  )
  if (ofCluster.failures.length > 0) {
    return yield* new CommandFailed({ message: `Not measured: ${ofCluster.failures.join("; ")}` })
  }
})

NodeRuntime.runMain(
  program.pipe(
    Effect.tapError((error) => Console.error(`\n${error.message}`)),
    Effect.provide(NodeServices.layer)
  ),
  { disableErrorReporting: true }
)
