/** A manifest of ours, strictly read. */
import { Effect, Result, Schema } from "effect"
import { ApiServerSource, Broker, PingSource, Trigger } from "./eventing-schemas.ts"
import { ClusterRole, ClusterRoleBinding, Role, RoleBinding, ServiceAccount } from "./rbac-schemas.ts"
import { CronJob, DaemonSet, PersistentVolumeClaim } from "./registry-schemas.ts"
import { ConfigMap, Deployment, KnativeService, ServerDeployment, ServerService, Service } from "./workload-schemas.ts"

/** By kind, as people say it. */
const schemas = {
  ApiServerSource,
  Broker,
  ClusterRole,
  ClusterRoleBinding,
  ConfigMap,
  CronJob,
  DaemonSet,
  Deployment,
  KnativeService,
  PersistentVolumeClaim,
  PingSource,
  Role,
  RoleBinding,
  ServerDeployment,
  ServerService,
  Service,
  ServiceAccount,
  Trigger
}
type Schemas = typeof schemas
export type Name = keyof Schemas
export type Manifest<N extends Name = Name> = Schemas[N]["Type"]

export class Refused extends Schema.TaggedError<Refused>()("Refused", { message: Schema.String }) {}

const Head = Schema.Struct({ apiVersion: Schema.String, kind: Schema.String })
const isHead = Schema.is(Head)

const isOfServer = Schema.is(
  Schema.Union([
    Schema.Struct({
      kind: Schema.Literal("Deployment"),
      spec: Schema.Struct({
        template: Schema.Struct({
          spec: Schema.Struct({
            containers: Schema.NonEmptyArray(Schema.Struct({ name: Schema.Literal("server") }))
          })
        })
      })
    }),
    Schema.Struct({
      kind: Schema.Literal("Service"),
      spec: Schema.Struct({ ports: Schema.Tuple([Schema.Unknown, Schema.Unknown]) })
    })
  ])
)

/** Knative too has a kind called Service; and a server's Deployment and Service have other fields than a function's. */
export const nameOf = (object: unknown): string => {
  if (!isHead(object)) return ""
  if (object.apiVersion === "serving.knative.dev/v1") return `Knative${object.kind}`
  return isOfServer(object) ? `Server${object.kind}` : object.kind
}

const isKnown = (name: string): name is Name => Object.hasOwn(schemas, name)

/** Fails with what is wrong with the manifest by itself. */
export const read = (object: unknown): Effect.Effect<Manifest, Refused> => {
  const name = nameOf(object)
  if (!isKnown(name)) return Effect.fail(new Refused({ message: `${name || "this"} is no kind of ours` }))
  const schema: Schema.Codec<Manifest, unknown> = schemas[name]
  return Schema.decodeUnknownEffect(schema, { onExcessProperty: "error", errors: "all" })(object).pipe(
    Effect.mapError((error) => new Refused({ message: `${name}: ${error.message}` }))
  )
}

export const isTaken = (object: unknown): boolean => Result.isSuccess(Effect.runSync(Effect.result(read(object))))

/** Those of one kind. */
export const of = <N extends Name>(name: N, manifests: ReadonlyArray<Manifest>): ReadonlyArray<Manifest<N>> =>
  manifests.filter((manifest): manifest is Manifest<N> => nameOf(manifest) === name)
