/**
 * `npm run bench`: figures of this checkout, each beside its bare counterpart
 * from the same run, as a table and as .bench/results.json. Ceilings that are
 * missed are said, and are no failure. Arguments name the groups to measure;
 * `process` alone needs no cluster.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Console, Effect, FileSystem } from "effect"
import { processRows } from "./process.ts"
import { summarize, table } from "./row.ts"

const program = Effect.gen(function* () {
  const files = yield* FileSystem.FileSystem
  const rows = yield* processRows
  yield* files.makeDirectory(".bench", { recursive: true })
  yield* files.writeFileString(".bench/results.json", `${JSON.stringify(rows.map(summarize), undefined, 2)}\n`)
  const missed = rows.map(summarize).filter(({ holds }) => holds === false)
  yield* Console.log(`\n${table(rows)}\n`)
  yield* Console.log(
    missed.length === 0 ? "All ceilings hold." : `Ceilings missed: ${missed.map(({ what }) => what).join("; ")}.`
  )
})

NodeRuntime.runMain(program.pipe(Effect.provide(NodeServices.layer)))
