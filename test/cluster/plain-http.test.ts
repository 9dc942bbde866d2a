/** The policy that refuses flakes over plain http, which all other tests take theirs by. */
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { eventually, kubectl, nixBuild, refusalOf, services, when } from "./cluster.ts"

const dryRun = { dryRun: true }

const plainHttpPolicy = "system/plain-http-policy.yaml"
const create = refusalOf(nixBuild({ namespace: "default", name: "http" }, {}), "create", dryRun)
/** All other tests take flakes over http. */
const withoutPolicy = Effect.gen(function* () {
  yield* kubectl("delete", "-f", plainHttpPolicy, "--ignore-not-found")
  yield* eventually(
    "the policy is gone",
    Effect.map(create, (refusal) => when(refusal, refusal === ""))
  )
}).pipe(Effect.orDie)

it.live("plain http is refused where its policy is", () =>
  Effect.gen(function* () {
    yield* kubectl("apply", "-f", plainHttpPolicy)
    yield* eventually(
      "the policy is in force",
      Effect.map(create, (refusal) => when(refusal, refusal.includes("spec.flakeUrl: plain http is not allowed")))
    )
    const https = nixBuild({ namespace: "default", name: "https" }, { flakeUrl: "https://h.org/x.tar.gz" })
    assert.strictEqual(yield* refusalOf(https, "create", dryRun), "")
  }).pipe(Effect.ensuring(withoutPolicy), Effect.provide(services))
)
