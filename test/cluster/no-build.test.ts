/** Pods for which nothing is built, and what they are told instead. */
import { assert, it } from "@effect/vitest"
import { Effect, Option } from "effect"
import { pods } from "../../lib/kubernetes/kinds.ts"
import { nixBuilds } from "../../lib/api/nixbuild.ts"
import {
  amongAll,
  annotations,
  apply,
  becomes,
  builderImage,
  makeNamespace,
  pod,
  services,
  told,
  when
} from "./cluster.ts"

it.live("another tag, another failure, two of three annotations, Always, values that are refused: no NixBuild", () =>
  Effect.gen(function* () {
    const ns = yield* makeNamespace("no-build")
    const at = (name: string) => ({ namespace: ns, name })
    const imageTag = "registry.invalid/no-build/app:1"
    const all = annotations({ imageTag, packageName: "hello" })
    const { "enbi.hrzn.ee/nixbuild-packageName": _, ...two } = all
    yield* apply(
      pod(at("other-tag"), {
        annotations: annotations({ imageTag, packageName: "other-tag" }),
        container: { image: "registry.invalid/no-build/other:1" }
      }),
      pod(at("crashes"), {
        annotations: annotations({ imageTag: builderImage, packageName: "hello" }),
        container: { image: builderImage, command: ["busybox", "false"] }
      }),
      pod(at("two-of-three"), { annotations: two, container: { image: imageTag } }),
      pod(at("always"), {
        annotations: annotations({ imageTag, packageName: "always" }),
        container: { image: imageTag, imagePullPolicy: "Always" }
      }),
      pod(at("refused"), {
        annotations: annotations({ flakeUrl: "path:/etc", imageTag, packageName: "hello" }),
        container: { image: imageTag }
      })
    )
    assert.include((yield* told("Pod", at("other-tag"), "ImageTagDiffers")).message, imageTag)
    assert.include(
      (yield* told("Pod", at("two-of-three"), "AnnotationMissing")).message,
      "enbi.hrzn.ee/nixbuild-packageName"
    )
    assert.include((yield* told("Pod", at("always"), "ImagePullPolicyAlways")).message, "IfNotPresent")
    assert.include((yield* told("Pod", at("refused"), "NixBuildRefused")).message, "spec.flakeUrl")
    yield* becomes(
      "the crashing Pod backs off",
      pods,
      at("crashes"),
      Option.filter((found) => found.status?.containerStatuses?.[0]?.state?.waiting?.reason === "CrashLoopBackOff")
    )
    // The last Pod is a good one: when it has its NixBuild, the others were looked at long before.
    yield* apply(pod(at("good"), { annotations: all, container: { image: imageTag } }))
    const builds = yield* amongAll("the good Pod's NixBuild", { kind: nixBuilds, namespace: ns }, (found) =>
      when(found, found.length > 0)
    )
    assert.lengthOf(builds, 1)
    assert.strictEqual(builds[0]?.spec.packageName, "hello")
    assert.strictEqual(builds[0]?.spec.imageTag, imageTag)
  }).pipe(Effect.provide(services))
)
