/** A Job that the functions made, as the controllers of Kubernetes read it. */
import { Schema, Struct } from "effect"
import { nixBuildUidLabel } from "../../lib/api/annotations.ts"
import type { Stored } from "../../lib/memory/objects.ts"

const Strings = Schema.Record(Schema.String, Schema.String)

const steps = {
  "/app/build.js": "build",
  "/app/import.js": "import",
  "/app/pull.js": "pull",
  "/app/prepare-volume.js": "volume",
  "/app/publish.js": "publish",
  "/app/remove-volume.js": "removal"
} as const

const JobSpec = Schema.Struct({
  activeDeadlineSeconds: Schema.optionalKey(Schema.Int),
  template: Schema.Struct({
    metadata: Schema.Struct({ labels: Strings, annotations: Schema.optionalKey(Strings) }),
    spec: Schema.Struct({
      affinity: Schema.Struct({
        nodeAffinity: Schema.Struct({
          requiredDuringSchedulingIgnoredDuringExecution: Schema.Struct({
            nodeSelectorTerms: Schema.Tuple([
              Schema.Struct({ matchFields: Schema.Tuple([Schema.Struct({ values: Schema.Tuple([Schema.String]) })]) })
            ])
          })
        })
      }),
      containers: Schema.Tuple([
        Schema.Struct({
          name: Schema.String,
          args: Schema.Tuple([Schema.Literals(Struct.keys(steps))]),
          env: Schema.Array(Schema.Struct({ name: Schema.String, value: Schema.String }))
        })
      ])
    })
  })
})

const Conditions = Schema.Struct({ conditions: Schema.Array(Schema.Struct({ type: Schema.String })) })
const isOver = Schema.is(Conditions)

export const readJob = (job: Stored) => {
  const { activeDeadlineSeconds, template } = Schema.decodeUnknownSync(JobSpec)(job["spec"])
  const [{ args, env, name }] = template.spec.containers
  const [{ matchFields }] =
    template.spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms
  return {
    step: steps[args[0]],
    node: matchFields[0].values[0],
    /** Of the NixBuild that the Job is for. */
    uid: job.metadata.labels?.[nixBuildUidLabel] ?? "",
    container: name,
    template: template.metadata,
    hasDeadline: activeDeadlineSeconds !== undefined,
    valueOf: (key: string) => env.find((variable) => variable.name === key)?.value,
    isLive: job.metadata.deletionTimestamp === undefined && !isOver(job["status"])
  }
}
