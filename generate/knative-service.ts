/** A function as a Knative Service that only the cluster can reach. */
import type { EnbiFunction } from "../lib/runtime/function.ts"
import { containerOf, labelsOf, livenessPatience, metadataOf, paths, port, scraping } from "./container.ts"

// Longer than Serving's 30 s of quiet before SIGTERM, for it is the time to end in too;
// and longer than the Triggers' time-out, so that the Broker is the one that gives up.
const timeoutSeconds = 60

export const makeKnativeService = (definition: EnbiFunction<unknown>) => ({
  apiVersion: "serving.knative.dev/v1",
  kind: "Service",
  metadata: { ...metadataOf(definition), labels: { "networking.knative.dev/visibility": "cluster-local" } },
  spec: {
    template: {
      metadata: {
        labels: labelsOf(definition),
        annotations: {
          ...scraping,
          // A start costs seconds, during which a Broker in memory may hold back all events of a kind.
          "autoscaling.knative.dev/min-scale": definition.isRare === true ? "0" : "1",
          // A second Pod would do everything twice, and two schedulers would overfill a node.
          "autoscaling.knative.dev/max-scale": "1"
        }
      },
      spec: {
        serviceAccountName: definition.name,
        timeoutSeconds,
        containers: [
          {
            ...containerOf(definition),
            // Serving takes no other name of a port than its own, and finds it for the probes itself.
            ports: [{ containerPort: port }],
            livenessProbe: { httpGet: { path: paths.liveness }, ...livenessPatience },
            readinessProbe: { httpGet: { path: paths.readiness } }
          }
        ]
      }
    }
  }
})
