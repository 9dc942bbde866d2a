/** Cluster tests run side by side, so each has namespaces of its own. */
import { NodeServices } from "@effect/platform-node"
import { assert, it } from "@effect/vitest"
import { Effect, FileSystem } from "effect"

const folder = "test/cluster"

// What makes a namespace is called with its name, whatever else it does.
const making = /\b(?:makeNamespace|restricted|builtOnce)\(\s*"([^"]+)"/g

it.effect("no two tests of the cluster make a namespace of one name", () =>
  Effect.gen(function* () {
    const files = yield* FileSystem.FileSystem
    const names = (yield* files.readDirectory(folder)).filter((name) => name.endsWith(".ts"))
    const texts = yield* Effect.forEach(names, (name) => files.readFileString(`${folder}/${name}`))
    const made = texts.flatMap((text) => Array.from(text.matchAll(making), ([, name = ""]) => name))
    assert.isAbove(made.length, 30)
    assert.deepStrictEqual(
      made.filter((name, index) => made.indexOf(name) !== index),
      []
    )
  }).pipe(Effect.provide(NodeServices.layer))
)
