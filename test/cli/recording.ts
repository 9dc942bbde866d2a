/** Stories in memory, recorded as a process with `DECISIONS_FILE` records them. */
import { NodeServices } from "@effect/platform-node"
import { ConfigProvider, Effect, FileSystem, Layer } from "effect"
import { DecisionsFile } from "../../lib/runtime/decision-file.ts"
import { play, type Script, type Stage } from "../memory/story.ts"

/** A directory that is gone when the test is over. */
export const directory = Effect.gen(function* () {
  const files = yield* FileSystem.FileSystem
  return yield* files.makeTempDirectoryScoped({ prefix: "enbi-test-" })
})

/** The layer that a process has with these settings. */
export const decisionsFile = (settings: Record<string, string>) =>
  // Fresh: or all would share the file of the first.
  Layer.fresh(DecisionsFile.layer).pipe(
    Layer.provide(ConfigProvider.layer(ConfigProvider.fromUnknown(settings))),
    Layer.provide(NodeServices.layer)
  )

/** Each event comes, once and in order, until nothing happens any more. */
export const undisturbed = Effect.fnUntraced(function* ({ api, first, world }: Stage) {
  for (let before = -1; before !== api.objects.log.length;) {
    before = api.objects.log.length
    yield* first.deliverAll
    yield* world.tick
  }
})

/** The file in which a story's decisions are, and the lines in it. */
export const record = Effect.fnUntraced(function* (script: Script) {
  const files = yield* FileSystem.FileSystem
  const file = `${yield* directory}/decisions.jsonl`
  yield* play({ happens: undisturbed, ...script }).pipe(Effect.provide(decisionsFile({ DECISIONS_FILE: file })))
  return { file, lines: linesOf(yield* files.readFileString(file)) }
})

export const linesOf = (text: string): ReadonlyArray<string> => text.split("\n").filter((line) => line !== "")
