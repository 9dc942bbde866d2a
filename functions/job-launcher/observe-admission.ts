/** Whether the build Pod would be admitted: a dry run that creates nothing. */
import type { V1Pod } from "@kubernetes/client-node"
import { Effect, Option, Schema } from "effect"
import { pods } from "../../lib/kubernetes/kinds.ts"
import { manifest } from "../../lib/kubernetes/manifest.ts"
import { Cluster } from "../../lib/kubernetes/cluster.ts"
import { programs } from "../../lib/nixbuild/job-contract.ts"
import { forgetRefusal, isLastingRefusal } from "../../lib/runtime/refusals.ts"
import { type BuildPlace, makeBuildPod } from "./build-job.ts"
import type { Admission } from "./observe-place.ts"

// A Job is admitted where its Pod is not, and then waits for ever without a
// word; and an API server with a feature gate off drops fields in silence.
export const askAdmission = Effect.fnUntraced(function* (place: BuildPlace) {
  const cluster = yield* Cluster
  const { metadata, spec } = makeBuildPod(place)
  const { namespace } = place.build.metadata
  const pod = manifest<V1Pod>()({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { ...metadata, name: "enbi-admission", namespace },
    spec
  })
  const what = `build Pods ${place.build.metadata.uid} ${place.node}`
  const about = { kind: "Namespace", name: namespace ?? "" }
  return yield* cluster.dryRunCreate(pods, pod).pipe(
    Effect.tap(() => forgetRefusal({ what, about })),
    Effect.map((stored): Admission => {
      const isKept =
        !place.build.spec.sandbox || Option.exists(Schema.decodeUnknownOption(SandboxedPod)(stored), isUnmasked)
      return { outcome: isKept ? "Admitted" : "FieldsDropped", message: "" }
    }),
    Effect.catchIf(
      (error) => error.isObjection,
      Effect.fnUntraced(function* (error) {
        const isLasting = yield* isLastingRefusal({ what, about, error })
        if (!isLasting && error.isRetryable) return yield* Effect.fail(error)
        const outcome = isLasting ? ("Denied" as const) : ("Unclear" as const)
        return { outcome, message: error.message }
      })
    )
  )
})

const SandboxedPod = Schema.Struct({
  spec: Schema.Struct({
    hostUsers: Schema.Literal(false),
    // A webhook may have added containers of its own; the field is either kept for all or for none.
    containers: Schema.Array(
      Schema.Struct({
        name: Schema.String,
        securityContext: Schema.optionalKey(Schema.Struct({ procMount: Schema.optionalKey(Schema.String) }))
      })
    )
  })
})

const isUnmasked = ({ spec }: typeof SandboxedPod.Type): boolean =>
  spec.containers.some(
    ({ name, securityContext }) => name === programs.build && securityContext?.procMount === "Unmasked"
  )
