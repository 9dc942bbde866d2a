/** What can be wrong with what `registry/` brings beside the server image-registry. */
import { parse } from "yaml"
import { Schema } from "effect"
import { version } from "../../lib/version.ts"
import { type Manifest, of } from "./manifest.ts"
import { tell } from "./tell.ts"

type All = ReadonlyArray<Manifest>

const server = "image-registry"
const nameLabel = "app.kubernetes.io/name"
const partLabel = "app.kubernetes.io/part-of"

export const registryProblems = (all: All): ReadonlyArray<string> => {
  const deployment = of("ServerDeployment", all).find(({ metadata }) => metadata.name === server)
  return deployment === undefined
    ? []
    : [...storageProblems(deployment, all), ...proxyProblems(deployment, all), ...collectionProblems(deployment, all)]
}

type Deployment = Manifest<"ServerDeployment">

const Configuration = Schema.Struct({
  storage: Schema.Struct({
    filesystem: Schema.Struct({ rootdirectory: Schema.String }),
    delete: Schema.Struct({ enabled: Schema.Literal(true) })
  }),
  http: Schema.Struct({ addr: Schema.String, draintimeout: Schema.String })
})
const isConfiguration = Schema.is(Configuration)

const claimsOf = (volumes: ReadonlyArray<object> = []) =>
  volumes.flatMap((volume) => ("persistentVolumeClaim" in volume ? [volume.persistentVolumeClaim] : []))

const storageProblems = ({ spec: { strategy, template } }: Deployment, all: All) => {
  const { containers, initContainers: [distribution] = [], securityContext, volumes = [] } = template.spec
  const [{ env, volumeMounts = [] }] = containers
  const valueOf = (key: string) => env.find(({ name }) => name === key)?.value
  const maps = of("ConfigMap", all)
  const files = maps.find(({ metadata }) =>
    volumes.some((volume) => "configMap" in volume && volume.configMap.name === metadata.name)
  )?.data
  const configuration: unknown = parse(files?.["config.yml"] ?? "")
  const claims = of("PersistentVolumeClaim", all)
  return tell(`Deployment ${server}`, {
    "keeps no images": distribution === undefined || securityContext === undefined,
    "may write one volume from two Pods": strategy?.type !== "Recreate",
    "does not read where images are kept": volumeMounts[0]?.mountPath !== valueOf("REGISTRY_STORAGE"),
    "has the files of another": files?.["serve.sh"] === undefined,
    "looks elsewhere than where Distribution listens, or keeps what it has":
      !isConfiguration(configuration) ||
      valueOf("DISTRIBUTION_URL") !== `http://${configuration.http.addr}` ||
      valueOf("REGISTRY_STORAGE") !== configuration.storage.filesystem.rootdirectory,
    // It would say that blobs are there which were collected.
    "has a cache that remembers what is gone": /^ *cache:/mu.test(files?.["config.yml"] ?? ""),
    "claims a volume that is not there": !volumes.some(
      (volume) =>
        "persistentVolumeClaim" in volume &&
        claims.some(({ metadata }) => metadata.name === volume.persistentVolumeClaim.claimName)
    ),
    "is another registry than Distribution": !/^docker\.io\/library\/registry:\d/u.test(distribution?.image ?? "")
  })
}

const proxyProblems = ({ spec }: Deployment, all: All) => {
  const port = spec.template.spec.containers[0].ports.find(({ name }) => name === "registry")?.containerPort
  const proxies = of("DaemonSet", all)
  return [
    ...tell(server, { "is reached from no node": proxies.length !== 1 }),
    ...proxies.flatMap(({ metadata: { name }, spec: { selector, template } }) => {
      const [{ args, image, ports }] = template.spec.containers
      return tell(`DaemonSet ${name}`, {
        "does not select its Pods": selector.matchLabels[nameLabel] !== template.metadata.labels[nameLabel],
        "can't be found by its name": template.metadata.labels[nameLabel] !== name,
        "can't be found as a part": template.metadata.labels[partLabel] !== "enbi-functions",
        "is another image than ours": image !== `enbi-proxy:${version}`,
        "does not listen where nodes look": args[0] !== `TCP4-LISTEN:${port},fork,reuseaddr,backlog=128`,
        "leads elsewhere": args[1] !== `TCP:${server}:${port}`,
        "has other ports than the server": ports[0].containerPort !== port || ports[0].hostPort !== port
      })
    })
  ]
}

const collectionProblems = ({ spec }: Deployment, all: All) =>
  of("CronJob", all).flatMap(({ metadata: { name }, spec: { jobTemplate } }) => {
    const { metadata, spec: pod } = jobTemplate.spec.template
    const [term] = pod.affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution
    const { initContainers: [distribution] = [], volumes = [] } = spec.template.spec
    return tell(`CronJob ${name}`, {
      "can't be found by its name": metadata.labels[nameLabel] !== name,
      "can't be found as a part": metadata.labels[partLabel] !== "enbi-functions",
      "is not where the volume is": term.labelSelector.matchLabels[nameLabel] !== server,
      "is another image than what it asks": pod.containers[0].image !== distribution?.image,
      "has another volume": JSON.stringify(claimsOf(pod.volumes)) !== JSON.stringify(claimsOf(volumes))
    })
  })
