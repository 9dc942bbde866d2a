/** The policies name by hand what the functions' Jobs are made of; the contract says it for the functions. */
import { NodeServices } from "@effect/platform-node"
import { assert, layer } from "@effect/vitest"
import { Effect, FileSystem, Schema } from "effect"
import {
  hostPaths,
  importVariables,
  mountPaths,
  type Program,
  programPath,
  programs,
  publishAccount,
  publishVariables,
  pullVariables,
  registryAudience,
  volumeVariables
} from "../../lib/nixbuild/job-contract.ts"

const pathsOf = (...some: ReadonlyArray<Program>) => some.map(programPath)
const { build, prepareVolume, publish, removeVolume } = programs

const rows: ReadonlyArray<readonly [before: string, named: ReadonlyArray<string>]> = [
  ["c.args[0] in ", pathsOf(prepareVolume, removeVolume)],
  [
    "c.args[0] in (variables.isSystem ? ",
    pathsOf(programs.import, publish, programs.pull, prepareVolume, removeVolume)
  ],
  [`${programPath(removeVolume)}"] : `, pathsOf(build)],
  ["m.mountPath in ", Object.values(mountPaths)],
  [
    "e.name in ",
    [
      ...new Set(
        [importVariables, publishVariables, pullVariables, volumeVariables].flatMap((some) => Object.values(some))
      )
    ]
  ],
  ["in (variables.isPublish ? ", [publishAccount]],
  ['s.?serviceAccountToken.?audience.orValue("") in ', [registryAudience]],
  [
    `path == "${hostPaths.volumes}" || path.startsWith("${hostPaths.volumes}/") || path in `,
    [hostPaths.socket, hostPaths.k3sSocket]
  ]
]

const decodeList = Schema.decodeEffect(Schema.fromJsonString(Schema.Array(Schema.String)))

layer(NodeServices.layer)("the policies", (it) => {
  for (const [before, named] of rows) {
    it.effect(`name what the contract does: ${before}…`, () =>
      Effect.gen(function* () {
        const files = yield* FileSystem.FileSystem
        const text = (yield* files.readFileString("system/policies.yaml")).replaceAll(/\s+/gu, " ")
        const [, after = "", ...others] = text.split(`${before}[`)
        assert.lengthOf(others, 0)
        const list = yield* decodeList(`[${after.slice(0, after.indexOf("]"))}]`)
        assert.deepStrictEqual(list.toSorted(), named.toSorted())
      })
    )
  }
})

layer(NodeServices.layer)("the account of publish Jobs", (it) => {
  it.effect("is there, and no Job but theirs may have it", () =>
    Effect.gen(function* () {
      const files = yield* FileSystem.FileSystem
      assert.include(yield* files.readFileString("system/publish.yaml"), `\n  name: ${publishAccount}\n`)
      assert.include(yield* files.readFileString("system/policies.yaml"), `c.args[0] == "${programPath(publish)}")`)
    })
  )
})
