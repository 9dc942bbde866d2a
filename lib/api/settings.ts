/** The operator's settings, from the environment of the functions' container. */
import { Config, Context, Effect, Layer, Record as Rec, Schema, SchemaGetter, Struct } from "effect"
import { BuildEgress, ClosedCidrs, defaultClosedCidrs } from "./egress.ts"
import { flakeUrlRules } from "./nixbuild-rules.ts"
import { BytesFromQuantity } from "../kubernetes/quantity.ts"

const defaultCacheLimitBytes = 50 * 1024 ** 3

const list = (name: string) =>
  Config.String(name).pipe(
    Config.map((text) => text.split(/\s+/).filter((word) => word !== "")),
    Config.withDefault<ReadonlyArray<string>>([])
  )

const Natural = Schema.FiniteFromString.check(Schema.isInt(), Schema.isGreaterThanOrEqualTo(0))

const byBlanks = {
  decode: SchemaGetter.transform((text: string) => text.split(/\s+/).filter((word) => word !== "")),
  encode: SchemaGetter.transform((words: ReadonlyArray<string>) => words.join(" "))
}

const Delays = Schema.String.pipe(Schema.decodeTo(Schema.Array(Natural), byBlanks))

const defaultHistoryLimit = 20

const historyLimit = (name: string) => Config.schema(Natural, name).pipe(Config.withDefault(defaultHistoryLimit))

const HistoryLimit = Schema.Int.pipe(Schema.withDecodingDefaultKey(Effect.succeed(defaultHistoryLimit)))

// Each build Job gets them as one environment variable, for which Linux has 128 KiB (MAX_ARG_STRLEN).
const maxCertificatesLength = 100 * 1024

const Certificates = Schema.String.check(
  Schema.isPattern(/^\s*$|-----BEGIN CERTIFICATE-----/u, {
    message: "expected certificates in PEM, which begin with -----BEGIN CERTIFICATE-----"
  }),
  Schema.isPattern(/^(?![^]*PRIVATE KEY)/u, { message: "contains a private key, which everyone could read" }),
  Schema.isMaxLength(maxCertificatesLength, {
    message: "more than 100 KiB: only those of the authorities to add, since the usual ones are in the builder's image"
  })
)

// The Jobs that get it can be read by people who must not know a password.
const Proxy = Schema.String.check(
  Schema.isPattern(/^$|^https?:\/\/[^/@\s]+\/?$/u, {
    message: "expected http://host:port, without a user name or password"
  })
)

const defaultImageRegistry = "127.0.0.1:5080"

const defaultKeepReplacedSeconds = 7 * 24 * 3600

const defaultRegistryUrl = "http://image-registry.enbi-system.svc:5080"

const RegistryName = Schema.String.check(
  Schema.isPattern(/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?$/u, {
    message: "expected a registry's name as it stands in front of images: host, or host:port"
  })
)

/** Of the branch nixos-25.11, May 2026. */
export const defaultPackageSet = "github:NixOS/nixpkgs/8fd9daa3db09ced9700431c5b7ad0e8ba199b575"

const PackageSet = Schema.String.check(
  Schema.makeFilter((url: string) => flakeUrlRules.find(({ holds }) => !holds(url))?.message)
)

const defaultRegistryPublishUrl = "http://image-registry.enbi-system.svc:5081"

// The Jobs that get it can be read by people who must not know a password, and what they send goes below /v2 there.
const RegistryUrl = Schema.String.check(
  Schema.isPattern(/^https?:\/\/[^/@?#\s]+$/u, {
    message: "expected http://host:port or https://host:port, without a user name, password or path"
  })
)

interface Setting<A> {
  /** The variable of the environment. */
  readonly variable: string
  readonly config: Config.Config<A>
}

const setting = <A>(variable: string, makeConfig: (variable: string) => Config.Config<A>): Setting<A> => ({
  variable,
  config: makeConfig(variable)
})

/** What each means stands in `setting-descriptions.ts`, under its variable. */
const all = {
  builderImage: setting("BUILDER_IMAGE", Config.NonEmptyString),
  maxBuildsPerNode: setting("MAX_BUILDS_PER_NODE", (name) => Config.Int(name).pipe(Config.withDefault(2))),
  nodeRepel: setting("NODE_REPEL", list),
  successfulBuildsHistoryLimit: setting("SUCCESSFUL_BUILDS_HISTORY_LIMIT", historyLimit),
  failedBuildsHistoryLimit: setting("FAILED_BUILDS_HISTORY_LIMIT", historyLimit),
  retryDelaysSeconds: setting("RETRY_DELAYS", (name) =>
    Config.schema(Delays, name).pipe(Config.withDefault<ReadonlyArray<number>>([60, 300, 900]))
  ),
  substituters: setting("SUBSTITUTERS", list),
  trustedPublicKeys: setting("TRUSTED_PUBLIC_KEYS", list),
  cacheLimitBytes: setting("CACHE_LIMIT", (name) =>
    Config.schema(BytesFromQuantity, name).pipe(Config.withDefault(defaultCacheLimitBytes))
  ),
  caCertificates: setting("CA_CERTIFICATES", (name) => Config.schema(Certificates, name).pipe(Config.withDefault(""))),
  httpProxy: setting("HTTP_PROXY", (name) => Config.schema(Proxy, name).pipe(Config.withDefault(""))),
  httpsProxy: setting("HTTPS_PROXY", (name) => Config.schema(Proxy, name).pipe(Config.withDefault(""))),
  noProxy: setting("NO_PROXY", (name) => Config.String(name).pipe(Config.withDefault(""))),
  buildEgress: setting("BUILD_EGRESS", (name) =>
    Config.schema(BuildEgress, name).pipe(Config.withDefault<BuildEgress>("public"))
  ),
  imageRegistry: setting("IMAGE_REGISTRY", (name) =>
    Config.schema(RegistryName, name).pipe(Config.withDefault(defaultImageRegistry))
  ),
  keepReplacedSeconds: setting("KEEP_REPLACED_SECONDS", (name) =>
    Config.schema(Natural, name).pipe(Config.withDefault(defaultKeepReplacedSeconds))
  ),
  registryUrl: setting("REGISTRY_URL", (name) =>
    Config.NonEmptyString(name).pipe(Config.withDefault(defaultRegistryUrl))
  ),
  packageSet: setting("PACKAGE_SET", (name) =>
    Config.schema(PackageSet, name).pipe(Config.withDefault(defaultPackageSet))
  ),
  closedCidrs: setting("BUILD_CLOSED_CIDRS", (name) =>
    Config.schema(Schema.String.pipe(Schema.decodeTo(ClosedCidrs, byBlanks)), name).pipe(
      Config.withDefault(defaultClosedCidrs)
    )
  ),
  registryPublishUrl: setting("REGISTRY_PUBLISH_URL", (name) =>
    Config.schema(RegistryUrl, name).pipe(Config.withDefault(defaultRegistryPublishUrl))
  )
}

/** The variable of each setting, by its name in the code. */
export const variables: Readonly<Record<keyof typeof all, string>> = Rec.map(all, ({ variable }) => variable)

interface ConfigOf extends Struct.Lambda {
  <A>(setting: Setting<A>): Config.Config<A>
  readonly "~lambda.out": this["~lambda.in"] extends Setting<infer A> ? Config.Config<A> : never
}

const settings = Config.all(
  Struct.map(
    all,
    Struct.lambda<ConfigOf>(({ config }) => config)
  )
)

/** The part of the settings that decisions look at, so that it stands in their records. */
export const SettingsSchema = Schema.Struct({
  builderImage: Schema.String,
  maxBuildsPerNode: Schema.Int,
  nodeRepel: Schema.Array(Schema.String),
  retryDelaysSeconds: Schema.Array(Schema.Int),
  substituters: Schema.Array(Schema.String),
  trustedPublicKeys: Schema.Array(Schema.String),
  // The defaults are for decision records that were written without them.
  cacheLimitBytes: Schema.Int.pipe(Schema.withDecodingDefaultKey(Effect.succeed(defaultCacheLimitBytes))),
  successfulBuildsHistoryLimit: HistoryLimit,
  failedBuildsHistoryLimit: HistoryLimit,
  caCertificates: Schema.optionalKey(Schema.String),
  httpProxy: Schema.optionalKey(Schema.String),
  httpsProxy: Schema.optionalKey(Schema.String),
  noProxy: Schema.optionalKey(Schema.String),
  buildEgress: BuildEgress.pipe(Schema.withDecodingDefaultKey(Effect.succeed<BuildEgress>("public"))),
  imageRegistry: Schema.String.pipe(Schema.withDecodingDefaultKey(Effect.succeed(defaultImageRegistry))),
  keepReplacedSeconds: Schema.Int.pipe(Schema.withDecodingDefaultKey(Effect.succeed(defaultKeepReplacedSeconds))),
  registryUrl: Schema.String.pipe(Schema.withDecodingDefaultKey(Effect.succeed(defaultRegistryUrl))),
  packageSet: Schema.String.pipe(Schema.withDecodingDefaultKey(Effect.succeed(defaultPackageSet))),
  closedCidrs: Schema.Array(Schema.String).pipe(Schema.withDecodingDefaultKey(Effect.succeed(defaultClosedCidrs))),
  registryPublishUrl: Schema.String.pipe(Schema.withDecodingDefaultKey(Effect.succeed(defaultRegistryPublishUrl)))
})
export type SettingsValue = typeof SettingsSchema.Type

export class Settings extends Context.Service<Settings, SettingsValue>()("enbi/lib/api/Settings") {
  /** `nodeRepel`: what the command line adds to that of the environment. */
  static readonly layer = (nodeRepel: ReadonlyArray<string>) =>
    Layer.effect(
      this,
      Effect.map(settings, (value) => ({ ...value, nodeRepel: [...value.nodeRepel, ...nodeRepel] }))
    )
}
