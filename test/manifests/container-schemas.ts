/** What containers of all kinds of workloads have in common. */
import { Schema } from "effect"
import { Name } from "./common-schemas.ts"

const optional = Schema.optionalKey

export const Image = Schema.String.check(Schema.isPattern(/^[a-z0-9][a-z0-9./_-]*(:[0-9]+\/[a-z0-9./_-]+)?:[\w.-]+$/u))
const Quantity = Schema.String.check(Schema.isPattern(/^\d+(m|Ki|Mi|Gi)?$/u))
const Amounts = Schema.Struct({ cpu: optional(Quantity), memory: optional(Quantity) })
export const Port = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 65_535 }))

export const anyContainer = {
  name: Name,
  image: Image,
  command: Schema.NonEmptyArray(Schema.NonEmptyString),
  resources: Schema.Struct({ requests: Amounts, limits: Amounts }),
  // Literals where another value would give the container what no function needs.
  securityContext: Schema.Struct({
    runAsNonRoot: Schema.Literal(true),
    allowPrivilegeEscalation: Schema.Literal(false),
    readOnlyRootFilesystem: Schema.Literal(true),
    capabilities: Schema.Struct({ drop: Schema.Tuple([Schema.Literal("ALL")]) }),
    seccompProfile: Schema.Struct({ type: Schema.Literal("RuntimeDefault") })
  })
}
