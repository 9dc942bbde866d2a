/** Each function on its own, under its own account and without a cache: the same end as in one process. */
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, FileSystem, Schema } from "effect"
import { parse } from "yaml"
import { kindNamed } from "../../lib/kubernetes/kind.ts"
import { rulesOf } from "../../generate/rbac.ts"
import { images, namespace, nixBuild, node, pullingPod, twoNodes } from "../memory/given.ts"
import { play } from "../memory/story.ts"
import { type Asked, functions, playAlone } from "./alone.ts"
import { accessTo, isPermitted } from "./permissions.ts"

const Decided = Schema.Array(
  Schema.Struct({
    action: Schema.String,
    object: Schema.optionalKey(
      Schema.Struct({
        kind: Schema.String,
        metadata: Schema.Struct({ namespace: Schema.optionalKey(Schema.String) })
      })
    ),
    target: Schema.optionalKey(Schema.Struct({ kind: Schema.String, namespace: Schema.optionalKey(Schema.String) }))
  })
)

/** What the actions in a function's golden pairs ask for. */
const decidedBy = Effect.fnUntraced(function* (name: string) {
  const files = yield* FileSystem.FileSystem
  const asked: Array<Asked> = []
  for (const file of yield* files.readDirectory(`test/decide/${name}`)) {
    if (!file.endsWith(".output.yaml")) continue
    const text = yield* files.readFileString(`test/decide/${name}/${file}`)
    for (const { action, object, target } of yield* Schema.decodeUnknownEffect(Decided)(parse(text))) {
      const written = object?.kind ?? target?.kind ?? ""
      const kind = kindNamed(written)
      if (kind === undefined) return assert.fail(`${file}: ${written} is no kind of ours`)
      const within = target?.namespace ?? object?.metadata.namespace
      const verb = action === "PatchStatus" ? "patch" : action.toLowerCase()
      asked.push({
        function: name,
        ...accessTo(kind, { verb, namespace: within, ...(action === "PatchStatus" ? { subresource: "status" } : {}) })
      })
      // What is there already is read, to see whose it is.
      if (action === "Create") asked.push({ function: name, ...accessTo(kind, { verb: "get", namespace: within }) })
    }
  }
  return asked
})

/** One that is built, and one that waits for what can't be. */
const pulls = [
  ...images,
  pullingPod({ name: "a", pulls: "shell/jq:v1" }),
  pullingPod({ name: "wrong", pulls: "wrong:v1" })
]

const words = ({ function: name, group, resource, verb }: Asked): string => `${name}: ${verb} ${group}/${resource}`

describe("a function's account", () => {
  it.effect("suffices: the end is that of all in one process", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual((yield* playAlone({})).state, (yield* play({ given: twoNodes })).state)
    })
  )

  it.effect("has the settings that the function reads, and no more", () =>
    Effect.gen(function* () {
      const { read } = yield* playAlone({})
      const { read: waiting } = yield* playAlone({ full: ["volume one", "build two"] })
      const { read: packages } = yield* playAlone({
        given: pulls
      })
      const declared = functions.flatMap(({ name, settings: keys = [] }) => keys.map((key) => `${name}: ${key}`))
      // The launcher copies those that it declares: its type holds it to them.
      const isOfOthers = (of: string) => !of.startsWith("job-launcher: ")
      assert.sameMembers(
        [...new Set([...read, ...waiting, ...packages])].filter(isOfOthers),
        declared.filter(isOfOthers)
      )
    })
  )

  it.effect("may do what the function does, and no more", () =>
    Effect.gen(function* () {
      const { asked: usual } = yield* playAlone({})
      const { asked: ending } = yield* playAlone({
        settings: { successfulBuildsHistoryLimit: 0, failedBuildsHistoryLimit: 0 },
        happens: ({ objects }) => Effect.orDie(objects.remove({ kind: "Namespace", name: "apps" }))
      })
      const { asked: cancelled } = yield* playAlone({
        full: ["import two"],
        happens: ({ objects }) => Effect.orDie(objects.remove({ kind: "NixBuild", namespace: "apps", name: "c" }))
      })
      const { asked: waiting } = yield* playAlone({ full: ["volume one", "build two"] })
      const { asked: sharing } = yield* playAlone({
        given: [
          ...["staging", "production"].flatMap((of) => [
            namespace(of),
            nixBuild({ name: "web", namespace: of, nodes: ["one"], image: "reg.io/web:1", packageName: "good" })
          ]),
          node("one")
        ]
      })
      const { asked: crowded } = yield* playAlone({
        given: [
          namespace("apps"),
          ...Array.from({ length: 21 }, (_, index) =>
            nixBuild({ name: `n-${index}`, nodes: [], image: `reg.io/n-${index}:1`, packageName: "good" })
          )
        ]
      })
      const { asked: packages } = yield* playAlone({
        given: pulls
      })
      // In the words of an API server that does not know its roles yet: each asks whether it is so for everything.
      const { asked: denied } = yield* playAlone({
        denied: 'User "enbi" cannot create resource "jobs" in API group ""'
      })
      const decided = yield* Effect.forEach(functions, ({ name }) => decidedBy(name))
      const asked = [
        ...usual,
        ...ending,
        ...cancelled,
        ...waiting,
        ...denied,
        ...sharing,
        ...crowded,
        ...packages,
        ...decided.flat()
      ]
      const forbidden = functions.flatMap(({ name, permissions }) =>
        asked.filter((access) => access.function === name && !isPermitted(permissions, access)).map(words)
      )
      assert.deepStrictEqual(forbidden, [], "may not do what it does")
      const needed = new Set(asked.map(words))
      const superfluous = functions.flatMap(({ name, permissions }) =>
        rulesOf({ permissions }).flatMap(({ apiGroup: group, resource, verbs }) =>
          verbs.map((verb) => words({ function: name, group, resource, verb })).filter((word) => !needed.has(word))
        )
      )
      // Asked for by the admission of an owner reference, which the API server in memory does not have.
      assert.deepStrictEqual(superfluous, ["job-launcher: update enbi.hrzn.ee/nixbuilds/finalizers"])
    }).pipe(Effect.provide(NodeServices.layer))
  )
})
