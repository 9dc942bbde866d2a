/** What one version can't read belongs to another, and is not taken for nothing. */
import { assert, it } from "@effect/vitest"
import { Effect, Option } from "effect"
import { managedBy } from "../../lib/kubernetes/kinds.ts"
import { Cluster } from "../../lib/kubernetes/cluster.ts"
import {
  heldByLabel,
  heldTagAnnotation,
  nixBuildAnnotation,
  nixBuildUidLabel,
  unusedSinceAnnotation
} from "../../lib/api/annotations.ts"
import { tagLeaseName } from "../../lib/api/names.ts"
import { systemNamespace } from "../../lib/kubernetes/system-namespace.ts"
import { Settings } from "../../lib/api/settings.ts"
import { observe } from "../../functions/retention/observe.ts"
import { makeApiServer } from "./api-server.ts"
import { nixBuild, settings } from "./given.ts"
import { liveCluster } from "./live.ts"

const wish = { name: "c", nodes: ["one"], image: "reg.io/c:1", packageName: "good" } as const

it.effect("a NixBuild that can't be read, such as one that a newer version wrote, keeps its Job and its tag", () =>
  Effect.gen(function* () {
    const api = makeApiServer()
    const { metadata } = yield* api.objects.create({ ...nixBuild(wish), spec: { flakeUrl: "to-come:1" } })
    const name = "c-import-0123456789"
    yield* api.objects.create({
      apiVersion: "batch/v1",
      kind: "Job",
      metadata: {
        name,
        namespace: systemNamespace,
        labels: { ...managedBy, [nixBuildUidLabel]: metadata.uid },
        annotations: { [nixBuildAnnotation]: "apps/c" }
      }
    })
    yield* api.objects.create({
      apiVersion: "coordination.k8s.io/v1",
      kind: "Lease",
      metadata: {
        name: tagLeaseName("reg.io/c:1"),
        namespace: systemNamespace,
        labels: { ...managedBy, [heldByLabel]: "apps" },
        annotations: { [heldTagAnnotation]: "reg.io/c:1", [unusedSinceAnnotation]: "1969-12-31T00:00:00Z" }
      }
    })
    const live = yield* Effect.provide(Cluster, liveCluster(api))
    // As the cache does, which leaves it out.
    const readable: (typeof Cluster)["Service"] = {
      ...live,
      get: (kind, at) => (kind.kind === "NixBuild" ? Effect.succeedNone : live.get(kind, at)),
      list: (question) => (question.kind.kind === "NixBuild" ? Effect.succeed([]) : live.list(question))
    }
    const seen = yield* observe().pipe(
      Effect.provideService(Cluster, readable),
      Effect.provideService(Settings, settings)
    )
    assert.deepStrictEqual(seen, Option.none())
    assert.include(api.requests, "get NixBuild/apps/c")
    assert.include(api.requests, "list NixBuild//")
  })
)
