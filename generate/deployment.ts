/** A function as a Deployment and its Service, for clusters without Knative Serving; and a server, in whatever form the functions run. */
import type { V1Container, V1ContainerPort, V1Deployment, V1Service, V1ServicePort } from "@kubernetes/client-node"
import { type Manifest, manifest } from "../lib/kubernetes/manifest.ts"
import type { Server } from "../lib/runtime/definition.ts"
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

export const makeDeployment = (definition: EnbiFunction<unknown>) =>
  makeWorkload({
    name: definition.name,
    // A second Pod would do everything twice, and two schedulers would overfill a node.
    replicas: 1,
    container: {
      ...containerOf(definition),
      // Until the sender has heard that it ends; 20 s more drain it.
      lifecycle: { preStop: { sleep: { seconds: 5 } } }
    },
    ports: [{ name: "http", containerPort: port }],
    // A Trigger that names a Service sends to its port 80, whichever others there are.
    servicePorts: [{ name: "http", port: 80, targetPort: "http" }]
  })

export const makeServer = (server: Server) => {
  const { envFrom: _, ...container } = containerOf(server)
  const env = Object.entries(server.settings ?? {}).map(([name, value]) => ({ name, value }))
  return makeWorkload({
    name: server.name,
    replicas: server.replicas ?? 1,
    container: { ...container, name: "server", env },
    ports: [
      { name: "status", containerPort: port },
      ...server.ports.map(({ containerPort, name }) => ({ name, containerPort }))
    ],
    servicePorts: server.ports.map(({ containerPort, name, servicePort = containerPort }) => ({
      name,
      port: servicePort,
      targetPort: name
    }))
  })
}

interface Workload {
  readonly name: string
  readonly replicas: number
  readonly container: Manifest<V1Container>
  /** The first is the one that says how it is. */
  readonly ports: readonly [
    Manifest<V1ContainerPort> & { readonly name: string },
    ...ReadonlyArray<Manifest<V1ContainerPort>>
  ]
  readonly servicePorts: ReadonlyArray<Manifest<V1ServicePort>>
}

const makeWorkload = ({ container, name, ports, replicas, servicePorts }: Workload) => {
  const selector = { "app.kubernetes.io/name": name }
  const metadata = metadataOf({ name })
  const [{ name: status }] = ports
  return [
    manifest<V1Deployment>()({
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata,
      spec: {
        replicas,
        selector: { matchLabels: selector },
        template: {
          metadata: { labels: labelsOf({ name }), annotations: scraping },
          spec: {
            serviceAccountName: name,
            containers: [
              {
                ...container,
                ports,
                livenessProbe: { httpGet: { path: paths.liveness, port: status }, ...livenessPatience },
                readinessProbe: {
                  httpGet: { path: paths.readiness, port: status },
                  timeoutSeconds: probeTimeoutSeconds,
                  periodSeconds: 2
                }
              }
            ]
          }
        }
      }
    }),
    manifest<V1Service>()({ apiVersion: "v1", kind: "Service", metadata, spec: { selector, ports: servicePorts } })
  ]
}
