/** What can be wrong with manifests together, though each by itself is one that Kubernetes and Knative take. */
import { version } from "../../lib/version.ts"
import { builderKey, builderName, certificatesName } from "../../generate/container.ts"
import { systemNamespace } from "../../lib/kubernetes/system-namespace.ts"
import { eventProblems } from "./lint-events.ts"
import { registryProblems } from "./lint-registry.ts"
import { type Manifest, nameOf, of } from "./manifest.ts"
import { tell } from "./tell.ts"

/** One sentence for each thing that is wrong. */
export const problemsIn = (all: ReadonlyArray<Manifest>): ReadonlyArray<string> => [
  ...placeProblems(all),
  ...workloadProblems(all),
  ...serviceProblems(all),
  ...serverProblems(all),
  ...registryProblems(all),
  ...bindingProblems(all),
  ...imageProblems(all),
  ...eventProblems(all)
]

const ofCluster = new Set(["ClusterRole", "ClusterRoleBinding"])

const placeProblems = (all: ReadonlyArray<Manifest>) =>
  all.flatMap(({ kind, metadata }) =>
    tell(`${kind} ${metadata.name}`, {
      "is not in the system namespace": !ofCluster.has(kind) && metadata.namespace !== systemNamespace
    })
  )

const namesOf = (manifests: ReadonlyArray<Manifest>) => new Set(manifests.map(({ metadata }) => metadata.name))

/** The builder's image as the functions read it. */
const builderOf = (all: ReadonlyArray<Manifest>) =>
  of("ConfigMap", all).find(({ metadata }) => metadata.name === builderName)?.data[builderKey]

const workloadProblems = (all: ReadonlyArray<Manifest>) => {
  const accounts = namesOf(of("ServiceAccount", all))
  const settings = namesOf(of("ConfigMap", all))
  const builder = builderOf(all)
  return [...of("KnativeService", all), ...of("Deployment", all)].flatMap((workload) => {
    const { metadata, spec } = workload.spec.template
    const [container] = spec.containers
    const { name } = workload.metadata
    const isFunction = container.envFrom !== undefined
    const program = `/app/${isFunction ? "functions" : "eventing"}/${name}.js`
    return tell(`${nameOf(workload)} ${name}`, {
      "has the account of another": isFunction && (spec.serviceAccountName !== name || !accounts.has(name)),
      "has an account for nothing": !isFunction && !("automountServiceAccountToken" in spec),
      "reads settings that are not there": (container.envFrom ?? []).some(
        ({ configMapRef }) =>
          !settings.has(configMapRef.name) &&
          !(configMapRef.optional === true && configMapRef.name === certificatesName)
      ),
      "does not read which image the policy admits":
        isFunction &&
        !(container.env ?? []).some(
          ({ name: variable, valueFrom: { configMapKeyRef } }) =>
            variable === builderKey &&
            configMapKeyRef.name === builderName &&
            configMapKeyRef.key === builderKey &&
            builder !== undefined
        ),
      "is not started anew with another builder image":
        isFunction && workload.spec.template.metadata.annotations?.["enbi.hrzn.ee/builder-image"] !== builder,
      "runs the program of another": container.command.join(" ") !== `node ${program}`,
      "is another image than that of the functions": container.image !== `enbi-functions:${version}`,
      "listens elsewhere": container.ports[0].containerPort !== 8080,
      "is not asked for its health": container.livenessProbe.httpGet.path !== "/health/liveness",
      "is not asked whether it is ready": container.readinessProbe.httpGet.path !== "/health/readiness",
      "can't be found by its name": metadata.labels["app.kubernetes.io/name"] !== name,
      "can't be found as a part": metadata.labels["app.kubernetes.io/part-of"] !== "enbi-functions"
    })
  })
}

const isWithin = (some: Readonly<Record<string, string>>, all: Readonly<Record<string, string>>): boolean =>
  Object.entries(some).every(([key, value]) => all[key] === value)

const serviceProblems = (all: ReadonlyArray<Manifest>) => {
  const deployments = of("Deployment", all)
  return [
    ...deployments.flatMap(({ metadata, spec }) =>
      tell(`Deployment ${metadata.name}`, {
        "does not select its Pods": !isWithin(spec.selector.matchLabels, spec.template.metadata.labels)
      })
    ),
    ...of("Service", all).flatMap(({ metadata, spec: { ports, selector } }) => {
      const selected = deployments.filter(({ spec }) => isWithin(selector, spec.template.metadata.labels))
      const names = selected.flatMap(({ spec }) => spec.template.spec.containers[0].ports.map(({ name }) => name))
      return tell(`Service ${metadata.name}`, {
        "does not select the Deployment of its name":
          selected.map((deployment) => deployment.metadata.name).join() !== metadata.name,
        "is not at port 80, where Triggers send to": ports[0].port !== 80,
        "sends to no port of its Pods": !names.includes(ports[0].targetPort)
      })
    })
  ]
}

const serverProblems = (all: ReadonlyArray<Manifest>) => {
  const accounts = namesOf(of("ServiceAccount", all))
  const services = of("ServerService", all)
  return of("ServerDeployment", all).flatMap(({ metadata: { name }, spec: { selector, template } }) => {
    const [container] = template.spec.containers
    const [status, ...ports] = container.ports
    const service = services.find(({ metadata }) => metadata.name === name)
    const offered = service?.spec.ports.map(({ port, targetPort }) => `${targetPort} ${port}`) ?? []
    return tell(`Deployment ${name}`, {
      "has the account of another": template.spec.serviceAccountName !== name || !accounts.has(name),
      "runs the program of another": container.command.join(" ") !== `node /app/functions/${name}.js`,
      "is another image than that of the functions": container.image !== `enbi-functions:${version}`,
      "says elsewhere how it is": status.name !== "status" || status.containerPort !== 8080,
      "is told to say elsewhere how it is": container.env.some((variable) => variable.name === "PORT"),
      "is not asked for its health": container.livenessProbe.httpGet.path !== "/health/liveness",
      "is not asked whether it is ready": container.readinessProbe.httpGet.path !== "/health/readiness",
      "can't be found by its name": template.metadata.labels["app.kubernetes.io/name"] !== name,
      "can't be found as a part": template.metadata.labels["app.kubernetes.io/part-of"] !== "enbi-functions",
      "does not select its Pods": !isWithin(selector.matchLabels, template.metadata.labels),
      "has no Service that selects its Pods": !isWithin(service?.spec.selector ?? { no: "" }, template.metadata.labels),
      "has a Service with other ports than its own":
        offered.join() !== ports.map((port) => `${port.name} ${port.containerPort}`).join()
    })
  })
}

const bindingProblems = (all: ReadonlyArray<Manifest>) => {
  const accounts = namesOf(of("ServiceAccount", all))
  const roles = new Set(
    [...of("Role", all), ...of("ClusterRole", all)].map(({ kind, metadata }) => `${kind} ${metadata.name}`)
  )
  return [...of("RoleBinding", all), ...of("ClusterRoleBinding", all)].flatMap(
    ({ kind, metadata, roleRef, subjects }) =>
      tell(`${kind} ${metadata.name}`, {
        "gives a role that is not there": !roles.has(`${roleRef.kind} ${roleRef.name}`),
        "is for an account that is not there":
          subjects[0].kind === "ServiceAccount" &&
          (!accounts.has(subjects[0].name) || subjects[0].namespace !== systemNamespace),
        "is for more than one account": subjects[0].kind === "Group" && metadata.name !== builderName
      })
  )
}

const imageProblems = (all: ReadonlyArray<Manifest>) =>
  of("Role", all).flatMap(({ metadata, rules: [{ apiGroups, resourceNames, resources, verbs }, ...more] }) => {
    const isOfImages = `${verbs} ${resources}.${apiGroups}` === "use builderimages.enbi.hrzn.ee" && more.length === 0
    return tell(`Role ${metadata.name}`, {
      "does not name the image that the functions start":
        metadata.name === builderName && resourceNames?.[0] !== builderOf(all),
      "grants another right than that to images": (metadata.name === builderName) !== isOfImages
    })
  })
