/** What the Jobs' containers are told by their environment; a wrong value ends the program before it does anything. */
import { Config, Schema } from "effect"
import { systems } from "../lib/api/system.ts"
import { Digest } from "../lib/oci/result.ts"

/** A uid of Kubernetes. It names folders on the node, so it may be nothing that leads elsewhere. */
export const uidPattern = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/u
const Uid = Schema.String.check(Schema.isPattern(uidPattern))

/** The NixBuild's uid: names the folders on the cache volume. */
export const uid = Config.schema(Uid, "NIXBUILD_UID")

/** The namespace's uid: names its cache volume's folder on the node. */
export const volumeName = Config.schema(Uid, "VOLUME_NAME")

export const system = Config.schema(Schema.Literals(systems), "SYSTEM")

/** Where kubelet reads a container's last words. */
export const terminationLog = Config.String("TERMINATION_LOG").pipe(Config.withDefault("/dev/termination-log"))

/** What lies on a cache volume that is mounted at `root`, beside what only Nix looks at. */
export const cacheAt = (root: string) => ({
  intent: `${root}/enbi/intent`,
  lock: `${root}/enbi/lock`,
  layouts: `${root}/enbi/layouts`,
  layout: (uid: string) => `${root}/enbi/layouts/${uid}`,
  roots: `${root}/enbi/roots`,
  rootsOf: (uid: string) => `${root}/enbi/roots/${uid}`,
  database: `${root}/var/nix/db/db.sqlite`,
  builds: `${root}/var/nix/builds`
})
export type Cache = ReturnType<typeof cacheAt>

const cache = Config.String("CACHE").pipe(Config.withDefault("/nix"), Config.map(cacheAt))

/** The build Job's settings. */
export const buildSettings = Config.all({
  flakeUrl: Config.NonEmptyString("FLAKE_URL"),
  packageName: Config.NonEmptyString("PACKAGE_NAME"),
  system,
  uid,
  timeoutSeconds: Config.schema(
    Schema.FiniteFromString.check(Schema.isInt(), Schema.isGreaterThan(0)),
    "TIMEOUT_SECONDS"
  ),
  sandbox: Config.Boolean("SANDBOX"),
  /** More than this, and the cache is collected before the build; 0: never. */
  cacheLimitBytes: Config.schema(
    Schema.FiniteFromString.check(Schema.isInt(), Schema.isGreaterThanOrEqualTo(0)),
    "CACHE_LIMIT_BYTES"
  ),
  /** The NixBuilds that the namespace had at `liveTime`, this one among them; empty: not known. */
  liveUids: Config.String("LIVE_UIDS").pipe(
    Config.map((text) => text.split(" ")),
    Config.withDefault<ReadonlyArray<string>>([])
  ),
  liveTime: Config.schema(Schema.DateTimeUtcFromString, "LIVE_TIME"),
  cache
})
export type BuildSettings = Config.Success<typeof buildSettings>

/** The import Job's settings. */
export const importSettings = Config.all({
  imageTag: Config.NonEmptyString("IMAGE_TAG"),
  system,
  uid,
  socket: Config.NonEmptyString("CONTAINERD_SOCKET"),
  /** The one image that may come under the tag, where another namespace uses it too. */
  expectedDigest: Config.option(Config.schema(Digest, "EXPECTED_DIGEST")),
  /** Who uses the tag and what to do: the end of what is said of any other image. */
  tagUse: Config.String("TAG_USE").pipe(Config.withDefault("")),
  cache
})
export type ImportSettings = Config.Success<typeof importSettings>
