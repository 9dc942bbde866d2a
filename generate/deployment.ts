/** A function as a Deployment and its Service, for clusters without Knative Serving. */
import type { V1Deployment, V1Service } from "@kubernetes/client-node"
import { manifest } from "../lib/kubernetes/manifest.ts"
import type { EnbiFunction } from "../lib/runtime/function.ts"
import {
  containerOf,
  labelsOf,
  livenessPatience,
  metadataOf,
  paths,
  port,
  probeTimeoutSeconds,
  scraping
} from "./container.ts"

export const makeDeployment = (definition: EnbiFunction<unknown>) => {
  const { name } = definition
  const selector = { "app.kubernetes.io/name": name }
  const metadata = metadataOf(definition)
  return [
    manifest<V1Deployment>()({
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata,
      spec: {
        // A second Pod would do everything twice, and two schedulers would overfill a node.
        replicas: 1,
        selector: { matchLabels: selector },
        template: {
          metadata: { labels: labelsOf(definition), annotations: scraping },
          spec: {
            serviceAccountName: name,
            containers: [
              {
                ...containerOf(definition),
                ports: [{ name: "http", containerPort: port }],
                // Until senders know that it stops; 20 s more drain it.
                lifecycle: { preStop: { sleep: { seconds: 5 } } },
                livenessProbe: { httpGet: { path: paths.liveness, port: "http" }, ...livenessPatience },
                readinessProbe: {
                  httpGet: { path: paths.readiness, port: "http" },
                  timeoutSeconds: probeTimeoutSeconds,
                  periodSeconds: 2
                }
              }
            ]
          }
        }
      }
    }),
    manifest<V1Service>()({
      apiVersion: "v1",
      kind: "Service",
      metadata,
      // A Trigger that names a Service sends to its port 80, whichever others there are.
      spec: { selector, ports: [{ name: "http", port: 80, targetPort: "http" }] }
    })
  ]
}
