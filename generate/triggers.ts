/** One Trigger for each thing that each function listens to. */
import type { EnbiFunction } from "../lib/runtime/function.ts"

/** Exact values only: the subset of filters that every Broker reads alike. */
export const makeTriggers = (functions: ReadonlyArray<EnbiFunction<unknown>>) =>
  functions.flatMap(({ name, on }) =>
    on.map((attributes) => ({
      apiVersion: "eventing.knative.dev/v1",
      kind: "Trigger",
      metadata: { name: `${name}-${(attributes["kind"] ?? "sweep").toLowerCase()}` },
      spec: {
        broker: "enbi",
        filter: { attributes },
        subscriber: { ref: { apiVersion: "serving.knative.dev/v1", kind: "Service", name } },
        delivery: { retry: 3, backoffPolicy: "exponential", backoffDelay: "PT0.2S" }
      }
    }))
  )
