/**
 * What each setting means, by its name in the environment. `npm run generate`
 * makes `docs/settings.md` of this; a test holds it to the names that the code
 * reads and to their defaults.
 */

interface SettingDescription {
  /** What holds when it is not set, as it would be written. */
  readonly default?: string
  /** What else there is to say of the default. */
  readonly note?: string
  readonly meaning: string
}

export const settingDescriptions: Readonly<Record<string, SettingDescription>> = {
  BUILDER_IMAGE: {
    note: "the manifests take it from ConfigMap `enbi-builder` (`system/builder.yaml`): `enbi-builder` of this version; outside of them it must be set",
    meaning:
      "Image of the build, import and volume Jobs. [A policy admits no other](install.md#the-builders-image) than the ConfigMap's."
  },
  MAX_BUILDS_PER_NODE: {
    default: "2",
    meaning:
      "How many builds the scheduler lets run on one node at once; the rest wait, oldest first. A soft limit: nodes that join a NixBuild later build at once."
  },
  NODE_REPEL: {
    note: "empty",
    meaning:
      'Nodes that must not build, separated by blanks: names or label selectors (`key`, `key=value`). It can also be given as the repeatable flag `--node-repel`, and as the annotation `enbi.hrzn.ee/node-repel: "true"` on a node.'
  },
  RETRY_DELAYS: {
    default: "60 300 900",
    meaning:
      "Seconds before each new attempt of what may succeed later, separated by blanks. There are as many further attempts as there are delays."
  },
  SUCCESSFUL_BUILDS_HISTORY_LIMIT: {
    default: "20",
    meaning:
      "How many successful NixBuilds that Pods asked for are kept in each namespace. Older ones are deleted, but not while a Pod waits for their image or a node is still to get it. NixBuilds made by hand are kept, unless `spec.ttlSecondsAfterFinished` says when to delete them."
  },
  FAILED_BUILDS_HISTORY_LIMIT: { default: "20", meaning: "The same for those that failed." },
  CACHE_LIMIT: {
    default: "50Gi",
    meaning:
      "How large the cache of one namespace on one node may be (`50Gi`, `500M`; `0`: no limit). A build that finds more [collects the cache first](limits.md#caches). A soft limit: a build may exceed it until it ends."
  },
  SUBSTITUTERS: {
    note: "none; the manifests set `https://cache.nixos.org`",
    meaning: "Binary caches from which builds may fetch, separated by blanks. Empty: none."
  },
  TRUSTED_PUBLIC_KEYS: {
    note: "none; the manifests set that cache's key",
    meaning: "Public keys whose signatures on fetched paths are accepted, separated by blanks."
  },
  CA_CERTIFICATES: {
    note: "none",
    meaning: "[Authorities](network.md#certificates-and-proxies) that builds trust beside the usual ones, in PEM."
  },
  HTTP_PROXY: {
    note: "none",
    meaning: "[Proxy](network.md#certificates-and-proxies) through which builds fetch over http."
  },
  HTTPS_PROXY: {
    note: "none",
    meaning: "[Proxy](network.md#certificates-and-proxies) through which builds fetch over https."
  },
  NO_PROXY: {
    note: "none",
    meaning: "Hosts that builds reach without a proxy, separated by commas: `.svc,.cluster.local,.example.org`."
  },
  BUILD_EGRESS: {
    default: "public",
    meaning:
      "What [builds reach](network.md#what-builds-reach): `public`, everything except the ranges below; `open`, everything. A Namespace's annotation `enbi.hrzn.ee/build-egress` overrides it for that namespace."
  },
  BUILD_CLOSED_CIDRS: {
    default: "10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 100.64.0.0/10 169.254.0.0/16 fc00::/7 fe80::/10",
    meaning: "The ranges of addresses that `public` closes, separated by blanks."
  },
  IMAGE_REGISTRY: {
    default: "127.0.0.1:5080",
    meaning:
      "The name by which images of packages are pulled: what stands in front of them in Pods. Nodes must reach the image registry under it."
  },
  KEEP_REPLACED_SECONDS: {
    default: "604800",
    meaning:
      "How many seconds the registry still serves an image by digest after a change of its NixImage has replaced it."
  },
  REGISTRY_URL: {
    default: "http://image-registry.enbi-system.svc:5080",
    meaning: "Where Jobs reach the image registry, to bring its images to nodes where Pods wait for them."
  },
  PACKAGE_SET: {
    default: "github:NixOS/nixpkgs/8fd9daa3db09ced9700431c5b7ad0e8ba199b575",
    meaning:
      "The package set of NixImages that name none: a flake with `legacyPackages`. A new value builds them anew; one without a revision is resolved once for equal requests of a namespace."
  },
  REGISTRY_PUBLISH_URL: {
    default: "http://image-registry.enbi-system.svc:5081",
    meaning:
      "Where publish Jobs push the images of NixBuilds with `spec.delivery: Registry`: the address of the image registry's port for pushes, as Pods in `enbi-system` reach it."
  },
  PORT: {
    default: "8080",
    meaning: "Port of `/health/liveness`, `/health/readiness` and `/metrics`; on Knative of events too."
  },
  FUNC_PORT: { default: "8080", meaning: "The same where `PORT` is not set: func's runtime sets it." },
  OIDC_AUDIENCE: {
    note: "none: anyone who can reach a function may send events, which only make it look at the cluster",
    meaning:
      "On Knative: senders need a token of this cluster for that audience, of a ServiceAccount in `enbi-system`, as Triggers have (`examples/oidc/`)."
  },
  REGISTRY_STORAGE: {
    default: "/var/lib/registry",
    meaning: "The folder in which CNCF Distribution keeps blobs and manifests; `image-registry` reads them from there."
  },
  DISTRIBUTION_URL: {
    default: "http://127.0.0.1:5000",
    meaning: "Where `image-registry` passes on what publish Jobs push: CNCF Distribution, in the same Pod."
  },
  REGISTRY_CATALOG: {
    default: "false",
    meaning:
      "Whether `/v2/_catalog` tells everybody who can reach the registry the names of all images, with those of their namespaces: `true` or `false`."
  },
  WAIT_SECONDS: {
    default: "0",
    meaning:
      "How long the registry lets a client wait for an image that is being built, before it answers 503: 0 to 25. Nodes never wait, since the next Pod's image would wait with them."
  },
  DECISIONS_FILE: {
    note: "none",
    meaning:
      "A file that keeps decisions whole, for [`enbi decisions`](debugging.md). In the Pod, `/decisions/all.jsonl` can be written."
  },
  DECISIONS_LIMIT: {
    default: "64Mi",
    meaning: "How large that file and the one before it (`….1`) may be together."
  },
  OTEL_EXPORTER_OTLP_ENDPOINT: {
    note: "none: no [traces](observability.md#traces)",
    meaning:
      "URL of an OpenTelemetry collector (`http://otel-collector.observability:4318`). Spans go to `/v1/traces` there, as OTLP over HTTP in JSON. `OTEL_RESOURCE_ATTRIBUTES` adds attributes."
  },
  OTEL_SERVICE_NAME: {
    note: "`enbi-functions`; on Knative the function's name",
    meaning: "The service that traces name as their sender."
  },
  LOG_LEVEL: {
    default: "Info",
    meaning:
      "What is logged: `Fatal`, `Error`, `Warn`, `Info` (each decision), `Debug` (also each event that changed nothing) or `None`."
  },
  KUBERNETES_URL: {
    note: "none: the Pod's ServiceAccount",
    meaning:
      "For developing: the API server's URL, such as `kubectl proxy` gives. Without it `npm run functions` takes the kubeconfig."
  },
  KUBECONFIG: {
    note: "`~/.kube/config`, outside of a cluster",
    meaning:
      "For developing: the kubeconfig whose current context `npm run functions` and `enbi` use, or several, as kubectl takes them."
  }
}
