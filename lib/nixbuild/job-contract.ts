/**
 * What the functions that make a Job and the program in its container agree on:
 * how that is called, what its environment says, and where things are mounted.
 * `system/policies.yaml` holds the functions' Jobs to the same names.
 */

/** The builder image's programs. A container is called like the one that it runs. */
export const programs = {
  build: "build",
  import: "import",
  pull: "pull",
  prepareVolume: "prepare-volume",
  publish: "publish",
  removeVolume: "remove-volume"
} as const
export type Program = (typeof programs)[keyof typeof programs]

/** What the image's entry point, Node, is to run. */
export const programPath = (program: Program): string => `/app/${program}.js`

const ofNixBuild = { system: "SYSTEM", uid: "NIXBUILD_UID" } as const

/** The build Job's environment. */
export const buildVariables = {
  ...ofNixBuild,
  flakeUrl: "FLAKE_URL",
  lockedUrl: "LOCKED_URL",
  lockedInputs: "LOCKED_INPUTS",
  packageName: "PACKAGE_NAME",
  image: "IMAGE_REQUEST",
  timeoutSeconds: "TIMEOUT_SECONDS",
  sandbox: "SANDBOX",
  cacheLimitBytes: "CACHE_LIMIT_BYTES",
  liveFilter: "LIVE_FILTER",
  liveTime: "LIVE_TIME",
  closedCidrs: "CLOSED_CIDRS",
  caCertificates: "CA_CERTIFICATES",
  // Nix, git and curl read these too.
  home: "HOME",
  httpProxy: "http_proxy",
  httpsProxy: "https_proxy",
  noProxy: "no_proxy",
  nixConfig: "NIX_CONFIG"
} as const

/** The import Job's environment. */
export const importVariables = {
  ...ofNixBuild,
  imageTag: "IMAGE_TAG",
  socket: "CONTAINERD_SOCKET",
  expectedDigest: "EXPECTED_DIGEST",
  tagUse: "TAG_USE"
} as const

/** The publish Job's environment. */
export const publishVariables = {
  ...ofNixBuild,
  registryUrl: "REGISTRY_URL",
  repository: "REPOSITORY",
  tokenFile: "TOKEN_FILE"
} as const

/** Who the publish Job is to the image registry: the account in the system namespace, and what its token is good for. */
export const publishAccount = "enbi-publish"
export const registryAudience = "enbi-image-registry"

/** Where the images of a namespace are in the registry: its builds share what they have in common. */
export const repositoryOf = (namespaceUid: string): string => `builds/${namespaceUid}`

/** The pull Job's environment. */
export const pullVariables = {
  system: ofNixBuild.system,
  imageTag: importVariables.imageTag,
  registryUrl: "REGISTRY_URL",
  socket: importVariables.socket
} as const

/** The environment of the Jobs that prepare and remove a volume. */
export const volumeVariables = { volumeName: "VOLUME_NAME" } as const

/** Where things are in a container; over /app nothing may be mounted. */
export const mountPaths = {
  cache: "/nix",
  registryToken: "/registry-token",
  socket: "/containerd.sock",
  temporary: "/tmp",
  /** The volumes of all namespaces. */
  volumes: "/volumes"
} as const

/** Where they are on the node. */
export const hostPaths = {
  volumes: "/var/lib/enbi",
  socket: "/run/containerd/containerd.sock",
  // k3s and RKE2 keep their own containerd.
  k3sSocket: "/run/k3s/containerd/containerd.sock"
} as const

/** What lies on a cache volume that is mounted at `root`, beside what only Nix looks at. */
export const cacheAt = (root: string) => ({
  root,
  home: `${root}/home`,
  /** Where a store path is. */
  physical: (storePath: string) => storePath.replace(/^\/nix\//u, `${root}/`),
  intent: `${root}/enbi/intent`,
  lock: `${root}/enbi/lock`,
  layouts: `${root}/enbi/layouts`,
  layout: (uid: string) => `${root}/enbi/layouts/${uid}`,
  roots: `${root}/enbi/roots`,
  rootsOf: (uid: string) => `${root}/enbi/roots/${uid}`,
  fetched: `${root}/enbi/fetched`,
  fetchedOf: (uid: string) => `${root}/enbi/fetched/${uid}`,
  database: `${root}/var/nix/db/db.sqlite`,
  builds: `${root}/var/nix/builds`
})
export type Cache = ReturnType<typeof cacheAt>
