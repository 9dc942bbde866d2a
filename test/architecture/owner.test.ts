/** Objects lead back to the one that they are for, of whatever kind. */
import { assert, it } from "@effect/vitest"
import { nixBuildAnnotation, nixBuildUidLabel } from "../../lib/api/annotations.ts"
import { nixBuilds } from "../../lib/api/nixbuild.ts"
import { ownedBy } from "../../lib/kubernetes/owner.ts"
import { greetings } from "./toy/api/greeting.ts"

const metadata = { name: "a", namespace: "apps", uid: "u-1", resourceVersion: "1" }

it("an object of a toy leads back to it", () => {
  const of = ownedBy(greetings)
  const { annotations, labels } = of.belongingTo({ metadata })
  assert.deepStrictEqual(labels, { "toys.example.org/greeting-uid": "u-1" })
  assert.deepStrictEqual(of.ownerOf({ annotations }), { kind: "Greeting", namespace: "apps", name: "a" })
  assert.isUndefined(of.ownerOf({}))
  assert.isUndefined(ownedBy(nixBuilds).ownerOf({ annotations }))
})

it("those of a NixBuild have the names that are documented", () => {
  const { annotation, uidLabel } = ownedBy(nixBuilds)
  assert.deepStrictEqual([annotation, uidLabel], [nixBuildAnnotation, nixBuildUidLabel])
})
