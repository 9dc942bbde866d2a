/** Jobs that the API server refuses on several nodes at once: each node says so, and goes on when they are taken. */
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { namespace, nixBuild, node } from "./given.ts"
import { play, round, type Stage } from "./story.ts"

const nodes = ["one", "two", "three"]
const given = [
  namespace("apps"),
  ...nodes.map((name) => node(name)),
  nixBuild({ name: "web", nodes, image: "reg.io/web:1", packageName: "good" })
]

const statusIn = ({ api }: Stage): string => JSON.stringify(api.objects.objects.get("NixBuild/apps/web")?.["status"])

const until = Effect.fnUntraced(function* (stage: Stage, isSo: () => boolean) {
  for (let rounds = 0; !isSo(); rounds += 1) {
    assert.isBelow(rounds, 20, statusIn(stage))
    yield* round(stage)
  }
})

/** Refuses Jobs whose names have this in them, until so many nodes say so. */
const refuse = (stage: Stage, { isRefused, told }: Refusal) =>
  Effect.gen(function* () {
    stage.api.fate.refusalOf = ({ kind, name }) => (kind === "Job" && isRefused(name) ? "a policy says no" : undefined)
    yield* until(stage, () => statusIn(stage).split('"attempt":1,"reason":"PodRefused"').length > told)
    stage.api.fate.refusalOf = () => undefined
  })

interface Refusal {
  readonly isRefused: (name: string) => boolean
  readonly told: number
}

const ends = (state: ReadonlyArray<string>) => {
  const [build = ""] = state.filter((line) => line.startsWith("NixBuild "))
  assert.match(build, /^NixBuild web Succeeded /)
  for (const name of nodes) assert.include(build, `${name}:ImagePulled`)
}

it.effect("those that import", () =>
  Effect.gen(function* () {
    const isRefused = (name: string) => name.includes("-import-")
    ends((yield* play({ given, happens: (stage) => refuse(stage, { isRefused, told: 3 }) })).state)
  })
)

it.effect("those that build on further nodes", () =>
  Effect.gen(function* () {
    const happens = (stage: Stage) =>
      Effect.gen(function* () {
        const { objects } = stage.api.objects
        const isBegun = () => [...objects.keys()].some((key) => key.startsWith("Job/apps/web-build-"))
        yield* until(stage, isBegun)
        yield* refuse(stage, { isRefused: (name) => name.includes("-build-"), told: 2 })
      })
    ends((yield* play({ given, happens })).state)
  })
)
