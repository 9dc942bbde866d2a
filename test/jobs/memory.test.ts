/** What the kernel says of memory, from either version of its cgroups. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, it } from "@effect/vitest"
import { Effect, FileSystem } from "effect"
import { killsFor } from "../../jobs/build/memory.ts"

const kills = Effect.fnUntraced(
  function* (file: string, text: string) {
    const fs = yield* FileSystem.FileSystem
    const root = yield* fs.makeTempDirectoryScoped()
    yield* fs.makeDirectory(`${root}/memory`)
    yield* fs.writeFileString(`${root}/${file}`, text)
    return yield* killsFor(root)
  },
  (effect) => effect.pipe(Effect.scoped, Effect.provide(NodeServices.layer))
)

it.effect("the kernel counts the processes that it ended", () =>
  Effect.gen(function* () {
    assert.strictEqual(yield* kills("memory.events", "low 0\nmax 7\noom 1\noom_kill 2\noom_group_kill 0\n"), 2)
    assert.strictEqual(yield* kills("memory/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n"), 3)
    assert.strictEqual(yield* kills("memory.other", "oom_kill 4"), 0, "where it doesn't say")
  })
)
