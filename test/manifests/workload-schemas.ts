/**
 * What Kubernetes and Knative Serving take of the fields that our manifests
 * use, and of no other field. Serving's part is read in its source
 * (`pkg/apis/serving`: `fieldmask.go`, `k8s_validation.go`, of 1.23), not tried.
 */
import { Schema } from "effect"
import { Labels, Metadata, Name } from "./common-schemas.ts"
import { anyContainer, Image, Port } from "./container-schemas.ts"
import { besideServer } from "./registry-schemas.ts"

const optional = Schema.optionalKey

const Path = Schema.String.check(Schema.isPattern(/^\/[a-z/-]+$/u))

const Variable = Schema.String.check(Schema.isPattern(/^[A-Z_]+$/u))
const FileName = Schema.String.check(Schema.isPattern(/^[a-z]+\.[a-z]+$/u))

const common = {
  ...anyContainer,
  env: optional(
    Schema.Array(
      Schema.Struct({
        name: Variable,
        valueFrom: Schema.Struct({ configMapKeyRef: Schema.Struct({ name: Name, key: Variable }) })
      })
    )
  ),
  envFrom: optional(
    Schema.Array(
      Schema.Struct({ configMapRef: Schema.Struct({ name: Name, optional: optional(Schema.Literal(true)) }) })
    )
  )
}

// A busy node has no answer within kubelet's default of a second.
const patience = { timeoutSeconds: Schema.Literal(5) }
const livenessPatience = { ...patience, failureThreshold: Schema.Literal(6) }

// Serving knows its one port by itself, and takes a name for it only if that is a protocol.
const ServingGet = Schema.Struct({ path: Path })
const ServingContainer = Schema.Struct({
  ...common,
  ports: Schema.Tuple([Schema.Struct({ containerPort: Port })]),
  livenessProbe: Schema.Struct({ httpGet: ServingGet, ...livenessPatience }),
  // Asked by Serving's own proxy, beside it.
  readinessProbe: Schema.Struct({ httpGet: ServingGet })
})

// Another builder image has them started anew.
const ofFunctions = { "enbi.hrzn.ee/builder-image": optional(Image) }

const scraping = {
  "prometheus.io/scrape": Schema.Literal("true"),
  "prometheus.io/port": Schema.Literal("8080"),
  "prometheus.io/path": Schema.Literal("/metrics")
}

const Scale = Schema.Literals(["0", "1"])

export const KnativeService = Schema.Struct({
  apiVersion: Schema.Literal("serving.knative.dev/v1"),
  kind: Schema.Literal("Service"),
  metadata: Schema.Struct({
    name: Name,
    namespace: Name,
    labels: Schema.Struct({ "networking.knative.dev/visibility": Schema.Literal("cluster-local") })
  }),
  spec: Schema.Struct({
    template: Schema.Struct({
      metadata: Schema.Struct({
        labels: Labels,
        annotations: Schema.Struct({
          ...scraping,
          ...ofFunctions,
          "autoscaling.knative.dev/min-scale": Scale,
          "autoscaling.knative.dev/max-scale": Schema.Literal("1")
        })
      }),
      spec: Schema.Struct({
        serviceAccountName: Name,
        timeoutSeconds: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 600 })),
        containers: Schema.Tuple([ServingContainer])
      })
    })
  })
})

// With the 20 s that it drains it must stay below the 30 s after which Kubernetes kills.
const PreStop = Schema.Struct({
  preStop: Schema.Struct({
    sleep: Schema.Struct({ seconds: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 8 })) })
  })
})

const Get = Schema.Struct({ path: Path, port: Schema.Literal("http") })

export const Deployment = Schema.Struct({
  apiVersion: Schema.Literal("apps/v1"),
  kind: Schema.Literal("Deployment"),
  metadata: Metadata,
  spec: Schema.Struct({
    replicas: Schema.Literal(1),
    selector: Schema.Struct({ matchLabels: Labels }),
    template: Schema.Struct({
      metadata: Schema.Struct({
        labels: Labels,
        annotations: optional(Schema.Struct({ ...scraping, ...ofFunctions }))
      }),
      spec: Schema.Struct({
        serviceAccountName: optional(Name),
        automountServiceAccountToken: optional(Schema.Literal(false)),
        containers: Schema.Tuple([
          Schema.Struct({
            ...common,
            ports: Schema.Tuple([Schema.Struct({ name: Name, containerPort: Port })]),
            lifecycle: PreStop,
            livenessProbe: Schema.Struct({ httpGet: Get, ...livenessPatience }),
            readinessProbe: Schema.Struct({ httpGet: Get, ...patience, periodSeconds: Schema.Literal(2) })
          })
        ])
      })
    })
  })
})

export const Service = Schema.Struct({
  apiVersion: Schema.Literal("v1"),
  kind: Schema.Literal("Service"),
  metadata: Metadata,
  spec: Schema.Struct({
    selector: Labels,
    ports: Schema.Tuple([Schema.Struct({ name: Name, port: Port, targetPort: Name })])
  })
})

const StatusGet = Schema.Struct({ path: Path, port: Schema.Literal("status") })

/** Of a server, which answers a protocol on ports of its own. */
export const ServerDeployment = Schema.Struct({
  apiVersion: Schema.Literal("apps/v1"),
  kind: Schema.Literal("Deployment"),
  metadata: Metadata,
  spec: Schema.Struct({
    replicas: Schema.Literal(1),
    strategy: optional(Schema.Struct({ type: Schema.Literal("Recreate") })),
    selector: Schema.Struct({ matchLabels: Labels }),
    template: Schema.Struct({
      metadata: Schema.Struct({ labels: Labels, annotations: Schema.Struct(scraping) }),
      spec: Schema.Struct({
        ...besideServer.pod,
        serviceAccountName: Name,
        containers: Schema.Tuple([
          Schema.Struct({
            ...anyContainer,
            ...besideServer.container,
            env: Schema.Array(Schema.Struct({ name: Variable, value: Schema.NonEmptyString })),
            ports: Schema.NonEmptyArray(Schema.Struct({ name: Name, containerPort: Port })),
            livenessProbe: Schema.Struct({ httpGet: StatusGet, ...livenessPatience }),
            readinessProbe: Schema.Struct({ httpGet: StatusGet, ...patience, periodSeconds: Schema.Literal(2) })
          })
        ])
      })
    })
  })
})

export const ServerService = Schema.Struct({
  apiVersion: Schema.Literal("v1"),
  kind: Schema.Literal("Service"),
  metadata: Metadata,
  spec: Schema.Struct({
    selector: Labels,
    ports: Schema.NonEmptyArray(Schema.Struct({ name: Name, port: Port, targetPort: Name }))
  })
})

export const ConfigMap = Schema.Struct({
  apiVersion: Schema.Literal("v1"),
  kind: Schema.Literal("ConfigMap"),
  metadata: Metadata,
  data: Schema.Record(Schema.Union([Variable, FileName]), Schema.NonEmptyString)
})
