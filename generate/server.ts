/** A server of `functions/` as a Deployment and a Service, in whatever form the functions run. */
import type { Server } from "../lib/runtime/definition.ts"
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

export const makeServer = (server: Server) => {
  const { name, ports, replicas = 1 } = server
  const selector = { "app.kubernetes.io/name": name }
  const metadata = metadataOf(server)
  const { env: _, envFrom: __, ...container } = containerOf(server)
  return [
    {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata,
      spec: {
        replicas,
        selector: { matchLabels: selector },
        template: {
          metadata: { labels: labelsOf(server), annotations: scraping },
          spec: {
            serviceAccountName: name,
            containers: [
              {
                ...container,
                name: "server",
                ports: [
                  { name: "status", containerPort: port },
                  ...ports.map((one) => ({ name: one.name, containerPort: one.containerPort }))
                ],
                livenessProbe: { httpGet: { path: paths.liveness, port: "status" }, ...livenessPatience },
                readinessProbe: {
                  httpGet: { path: paths.readiness, port: "status" },
                  timeoutSeconds: probeTimeoutSeconds,
                  periodSeconds: 2
                }
              }
            ]
          }
        }
      }
    },
    {
      apiVersion: "v1",
      kind: "Service",
      metadata,
      spec: {
        selector,
        ports: ports.map((one) => ({
          name: one.name,
          port: one.servicePort ?? one.containerPort,
          targetPort: one.name
        }))
      }
    }
  ]
}
