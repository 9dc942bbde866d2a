/** What is printed about a build whose image goes to the registry. */
import { assert, it } from "@effect/vitest"
import { newsIn, outcomeOf } from "../../cli/build/progress.ts"
import type { NixBuild, Status } from "../../lib/api/nixbuild.ts"
import { setCondition } from "../../lib/kubernetes/condition.ts"

const update = { status: "True", message: "", observedGeneration: 1, time: "2026-01-01T12:00:00Z" } as const
const built = setCondition([], { ...update, type: "Success", reason: "ResultSuccess" })
const published = setCondition(built, { ...update, type: "Complete", reason: "BuildFinished" })

const buildWith = (status: Status): NixBuild => ({
  metadata: { name: "a", namespace: "apps", uid: "b1", resourceVersion: "1" },
  spec: {
    flakeUrl: "github:a/b",
    imageTag: "reg.io/a:1",
    packageName: "a",
    delivery: "Registry",
    system: "x86_64-linux",
    nodes: [],
    timeoutSeconds: 3600,
    sandbox: true
  },
  status: { buildNode: "one", ...status }
})

it("says that it is published, and of no node that it has it", () => {
  const digest = `sha256:${"a".repeat(64)}`
  assert.deepStrictEqual(newsIn(buildWith({ conditions: built }), undefined), ["publishing to the image registry"])
  assert.deepStrictEqual(
    outcomeOf(
      buildWith({
        conditions: published,
        imageDigest: digest,
        nodes: [{ name: "one", attempt: 1, reason: "ImagePublished", importedTime: update.time }]
      })
    ),
    [`reg.io/a:1 is in the image registry: ${digest}`]
  )
})
