/** What runs a function on its own, in the fields that Knative Serving and a Deployment both take. */
import { version } from "../lib/version.ts"
import type { EnbiFunction } from "../lib/runtime/function.ts"
import { systemNamespace } from "../lib/kubernetes/system-namespace.ts"

type Named = Pick<EnbiFunction<unknown>, "name">

export const port = 8080

/** The ConfigMap of `knative/settings.env`; one for all, since a definition does not say which settings it reads. */
export const settingsName = "enbi-settings"

/** The ConfigMap of `system/builder.yaml`, and the Role by which the policy `enbi-functions-images` knows its image. */
export const builderName = "enbi-builder"

/** The setting's name is its key there. */
export const builderKey = "BUILDER_IMAGE"

/** The optional ConfigMap of authorities that builds trust: its key is the setting's name. */
export const certificatesName = "enbi-certificates"

export const metadataOf = ({ name }: Named) => ({ name, namespace: systemNamespace })

export const labelsOf = ({ name }: Named) => ({
  "app.kubernetes.io/name": name,
  "app.kubernetes.io/part-of": "enbi-functions"
})

// What Prometheus' own chart and most others look for where no PodMonitor is installed.
export const scraping = {
  "prometheus.io/scrape": "true",
  "prometheus.io/port": `${port}`,
  "prometheus.io/path": "/metrics"
}

export const containerOf = ({ name }: Named) => ({
  name: "function",
  image: `enbi-functions:${version}`,
  command: ["node", `/app/functions/${name}.js`],
  env: [{ name: builderKey, valueFrom: { configMapKeyRef: { name: builderName, key: builderKey } } }],
  envFrom: [{ configMapRef: { name: settingsName } }, { configMapRef: { name: certificatesName, optional: true } }],
  resources: {
    requests: { cpu: "25m", memory: "64Mi" },
    // A sweep reads whole lists, so the limit is that of all functions in one process.
    limits: { memory: "512Mi" }
  },
  // All of it here and nothing in the Pod's own, which Serving refuses unless a feature is switched on.
  securityContext: {
    runAsNonRoot: true,
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    capabilities: { drop: ["ALL"] },
    seccompProfile: { type: "RuntimeDefault" }
  }
})

export const paths = { liveness: "/health/liveness", readiness: "/health/readiness" }

// kubelet's default is one second, in which a process on a busy node may get no turn.
export const probeTimeoutSeconds = 5

/** How often in a row it may fail to answer: for a minute, since a restart helps only a process that hangs. */
export const livenessPatience = { timeoutSeconds: probeTimeoutSeconds, failureThreshold: 6 }
