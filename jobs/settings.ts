/** The settings of the Jobs' containers, from their environment; a wrong value ends the program at once. */
import { Config, Option, Schema } from "effect"
import { ImageRequest } from "../lib/api/image-request.ts"
import { LockedInput } from "../lib/api/nixbuild.ts"
import { systems } from "../lib/api/system.ts"
import {
  buildVariables,
  cacheAt,
  importVariables,
  mountPaths,
  publishVariables,
  pullVariables,
  volumeVariables
} from "../lib/nixbuild/job-contract.ts"
import { Digest } from "../lib/oci/image.ts"
import { filterPattern } from "../lib/nixbuild/uid-filter.ts"
import { proxiesConfig } from "./build/closed.ts"

/** A uid of Kubernetes. It names folders on the node, so it may be nothing that leads elsewhere. */
export const uidPattern = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/u
const Uid = Schema.String.check(Schema.isPattern(uidPattern))

const LiveFilter = Schema.String.check(Schema.isPattern(filterPattern))

/** The NixBuild's uid: names the folders on the cache volume. */
export const uid = Config.schema(Uid, buildVariables.uid)

/** The namespace's uid: names its cache volume's folder on the node. */
export const volumeName = Config.schema(Uid, volumeVariables.volumeName)

export const system = Config.schema(Schema.Literals(systems), buildVariables.system)

/** Where kubelet reads a container's last words. */
export const terminationLog = Config.String("TERMINATION_LOG").pipe(Config.withDefault("/dev/termination-log"))

const cache = Config.String("CACHE").pipe(Config.withDefault<string>(mountPaths.cache), Config.map(cacheAt))

const lockedInputs = Config.schema(Schema.fromJsonString(Schema.Array(LockedInput)), buildVariables.lockedInputs).pipe(
  Config.withDefault<ReadonlyArray<LockedInput>>([])
)
const source = Config.all({ lockedUrl: Config.NonEmptyString(buildVariables.lockedUrl), lockedInputs }).pipe(
  Config.option,
  Config.map(Option.getOrUndefined)
)

/** Either a package that is an image, or the packages that one is made of. */
const wanted = Config.schema(Schema.fromJsonString(ImageRequest), buildVariables.image).pipe(
  Config.map((image): Wanted => ({ image })),
  Config.orElse(() =>
    Config.NonEmptyString(buildVariables.packageName).pipe(Config.map((packageName): Wanted => ({ packageName })))
  )
)
type Wanted = { readonly image: ImageRequest } | { readonly packageName: string }

const closedCidrs = Config.String(buildVariables.closedCidrs).pipe(
  Config.map((text) => text.split(" ").filter((word) => word !== "")),
  Config.withDefault<ReadonlyArray<string>>([])
)

/** The build Job's settings. */
export const buildSettings = Config.all({
  flakeUrl: Config.NonEmptyString(buildVariables.flakeUrl),
  /** What another attempt or node resolved the flake to; undefined: this one is the first. */
  source,
  wanted,
  system,
  uid,
  timeoutSeconds: Config.schema(
    Schema.FiniteFromString.check(Schema.isInt(), Schema.isGreaterThan(0)),
    buildVariables.timeoutSeconds
  ),
  sandbox: Config.Boolean(buildVariables.sandbox),
  /** More than this, and the cache is collected before the build; 0: never. */
  cacheLimitBytes: Config.schema(
    Schema.FiniteFromString.check(Schema.isInt(), Schema.isGreaterThanOrEqualTo(0)),
    buildVariables.cacheLimitBytes
  ),
  /** The NixBuilds that the namespace had at `liveTime`, this one among them; absent or empty: not known. */
  liveFilter: Config.schema(Schema.Union([Schema.Literal(""), LiveFilter]), buildVariables.liveFilter).pipe(
    Config.withDefault("")
  ),
  liveTime: Config.schema(Schema.DateTimeUtcFromString, buildVariables.liveTime),
  /** Certificates of authorities to trust beside the usual ones, in PEM. */
  caCertificates: Config.String(buildVariables.caCertificates).pipe(Config.withDefault("")),
  /** The authorities that are trusted anyway. */
  usualCertificates: Config.String("USUAL_CERTIFICATES").pipe(Config.withDefault("/etc/ssl/certs/ca-certificates.crt")),
  /** The ranges of addresses that it may not connect to, and the proxies by which it fetches. */
  closed: Config.all({ closedCidrs, proxies: proxiesConfig }),
  /** Options of Nix. */
  nixConfig: Config.String(buildVariables.nixConfig).pipe(Config.withDefault("")),
  /** Where the kernel reports on this container's memory. */
  cgroup: Config.String("CGROUP").pipe(Config.withDefault("/sys/fs/cgroup")),
  cache
})
export type BuildSettings = Config.Success<typeof buildSettings>

/** The import Job's settings. */
export const importSettings = Config.all({
  imageTag: Config.NonEmptyString(importVariables.imageTag),
  system,
  uid,
  socket: Config.NonEmptyString(importVariables.socket),
  /** The one image that may come under the tag, where another namespace uses it too. */
  expectedDigest: Config.option(Config.schema(Digest, importVariables.expectedDigest)),
  /** Who uses the tag and what to do: the end of what is said of any other image. */
  tagUse: Config.String(importVariables.tagUse).pipe(Config.withDefault("")),
  cache
})
export type ImportSettings = Config.Success<typeof importSettings>

/** The pull Job's settings. */
export const pullSettings = Config.all({
  imageTag: Config.NonEmptyString(pullVariables.imageTag),
  system,
  registryUrl: Config.NonEmptyString(pullVariables.registryUrl),
  socket: Config.NonEmptyString(pullVariables.socket)
})

/** The publish Job's settings. */
export const publishSettings = Config.all({
  registry: Config.all({
    url: Config.NonEmptyString(publishVariables.registryUrl),
    repository: Config.NonEmptyString(publishVariables.repository),
    tokenFile: Config.NonEmptyString(publishVariables.tokenFile)
  }),
  system,
  uid,
  cache
})
export type PublishSettings = Config.Success<typeof publishSettings>
