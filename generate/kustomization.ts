/** `kubectl apply -k knative`: the functions one by one, with one set of settings. */
import type { Server } from "../lib/runtime/definition.ts"
import type { EnbiFunction } from "../lib/runtime/function.ts"
import { systemNamespace } from "../lib/kubernetes/system-namespace.ts"
import { settingsName } from "./container.ts"

/** `kubectl apply -k` of all these files. */
export const resourcesOf = (resources: ReadonlyArray<string>) => ({
  apiVersion: "kustomize.config.k8s.io/v1beta1",
  kind: "Kustomization",
  resources
})

export const makeKustomization = (functions: ReadonlyArray<EnbiFunction<unknown>>, beside: ReadonlyArray<string>) => ({
  ...resourcesOf(["../system", ...functions.map(({ name }) => `${name}.yaml`), ...beside]),
  components: ["../system/builder-image"],
  // The name ends in a hash of the settings, so that the Pods that read them restart when they change.
  configMapGenerator: [{ name: settingsName, namespace: systemNamespace, envs: ["settings.env"] }],
  configurations: ["references.yaml"]
})

/** The servers and what each needs beside it; every way to run the functions has them. */
export const makeServersKustomization = (servers: ReadonlyArray<Server>) => {
  const components = servers.flatMap(({ component }) => (component === undefined ? [] : [`../${component}`]))
  return {
    ...resourcesOf(servers.map(({ name }) => `${name}.yaml`)),
    ...(components.length === 0 ? {} : { components })
  }
}

/** `kubectl apply -k embedded`: all functions in one Deployment. */
export const makeEmbeddedKustomization = (beside: ReadonlyArray<string>) => ({
  ...resourcesOf(["../system", "account.yaml", "rbac.yaml", "deployment.yaml", ...beside]),
  components: ["../system/builder-image"]
})
