/** In which order what belongs together goes, also where one of it can't be removed. */
import { assert, it } from "@effect/vitest"
import { decide } from "../../functions/retention/decide.ts"
import { around } from "../../functions/retention/volumes/decide.ts"
import { keyOf } from "../../lib/kubernetes/kind.ts"
import { objectOf } from "../../lib/runtime/action.ts"
import type { Node, PersistentVolume } from "../../lib/kubernetes/kinds.ts"
import { managedBy } from "../../lib/kubernetes/kinds.ts"
import { persistentVolumeName } from "../../lib/api/names.ts"

const uid = "00000000-0000-0000-0000-000000000001"

const volume: PersistentVolume = {
  metadata: {
    name: persistentVolumeName(uid, "one"),
    uid: "v",
    resourceVersion: "1",
    annotations: { "enbi.hrzn.ee/namespace": "apps", "enbi.hrzn.ee/node": "one" }
  }
}
const object = (name: string, namespace: string) => ({
  metadata: { name, namespace, uid: name, resourceVersion: "1", labels: managedBy }
})
const node: Node = {
  metadata: { name: "one", uid: "n", resourceVersion: "1" },
  spec: {},
  status: {}
}
const succeeded = { status: { conditions: [{ type: "Complete", status: "True" }] } }
const world = {
  time: "2026-01-01T12:00:00Z",
  successfulBuildsHistoryLimit: 1,
  failedBuildsHistoryLimit: 1,
  finished: [],
  builderImage: "builder",
  jobs: [],
  tags: [],
  refusals: []
}

it("a volume whose node is gone rests on its claim and its Job: without it nobody would look at them", () => {
  const namespace = { metadata: { name: "apps", uid, resourceVersion: "1" } }
  const claim = object("claim", "apps")
  const volumes = [{ volume, namespace, claim, volumeJob: object("job", "enbi-system"), building: [] }]
  const rests = decide({ ...world, volumes }).map((action) => [
    keyOf(objectOf(action)),
    around({ volumes })(action).map(keyOf)
  ])
  assert.deepStrictEqual(rests, [
    ["Job/enbi-system/job", []],
    ["PersistentVolumeClaim/apps/claim", []],
    [`PersistentVolume//${volume.metadata.name}`, ["Job/enbi-system/job", "PersistentVolumeClaim/apps/claim"]]
  ])
})

it("the Job that is to empty a volume rests on nothing", () => {
  const volumes = [{ volume, node, building: [] }]
  assert.deepStrictEqual(decide({ ...world, volumes }).map(around({ volumes })), [[]])
})

it("the Job that has emptied a volume rests on that, or another would be made for it", () => {
  const volumes = [{ volume, node, removalJob: { ...object("removal", "enbi-system"), ...succeeded }, building: [] }]
  const rests = decide({ ...world, volumes }).map((action) => [
    keyOf(objectOf(action)),
    around({ volumes })(action).map(keyOf)
  ])
  assert.deepStrictEqual(rests, [
    [`PersistentVolume//${volume.metadata.name}`, []],
    ["Job/enbi-system/removal", [`PersistentVolume//${volume.metadata.name}`]]
  ])
})
