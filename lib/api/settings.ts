/** The operator's settings, from the environment of the functions' container. */
import { Config, Context, Effect, Layer, Schema, SchemaGetter } from "effect"
import { BuildEgress, ClosedCidrs, defaultClosedCidrs } from "./egress.ts"
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

const settings = Config.all({
  /** Image of the build, import and volume Jobs; the policy `enbi-functions-images` admits what Role `enbi-builder` names. */
  builderImage: Config.NonEmptyString("BUILDER_IMAGE"),
  /** How many builds may run on one node at once; a soft limit. */
  maxBuildsPerNode: Config.Int("MAX_BUILDS_PER_NODE").pipe(Config.withDefault(2)),
  /** Nodes that must not build: names or label selectors (key=value, or key alone). */
  nodeRepel: list("NODE_REPEL"),
  /** How many NixBuilds that Pods asked for are kept in a namespace after success and after failure. */
  successfulBuildsHistoryLimit: historyLimit("SUCCESSFUL_BUILDS_HISTORY_LIMIT"),
  failedBuildsHistoryLimit: historyLimit("FAILED_BUILDS_HISTORY_LIMIT"),
  /** How long to wait before each new attempt of what may pass; as many attempts more as there are delays. */
  retryDelaysSeconds: Config.schema(Delays, "RETRY_DELAYS").pipe(
    Config.withDefault<ReadonlyArray<number>>([60, 300, 900])
  ),
  /** Binary caches that builds may fetch from, as URLs; their keys are below. Empty: none. */
  substituters: list("SUBSTITUTERS"),
  /** Public keys whose signatures on fetched paths are accepted. */
  trustedPublicKeys: list("TRUSTED_PUBLIC_KEYS"),
  /**
   * How large the cache of one namespace on one node may be, as a Kubernetes quantity: a build that finds more
   * collects it first. Soft: one build may exceed it. 0: no limit.
   */
  cacheLimitBytes: Config.schema(BytesFromQuantity, "CACHE_LIMIT").pipe(Config.withDefault(defaultCacheLimitBytes)),
  /** Certificates of authorities that builds trust beside the usual ones, in PEM. */
  caCertificates: Config.schema(Certificates, "CA_CERTIFICATES").pipe(Config.withDefault("")),
  /** By which proxies builds fetch over http and https, and which hosts they reach without. Empty: without. */
  httpProxy: Config.schema(Proxy, "HTTP_PROXY").pipe(Config.withDefault("")),
  httpsProxy: Config.schema(Proxy, "HTTPS_PROXY").pipe(Config.withDefault("")),
  noProxy: Config.String("NO_PROXY").pipe(Config.withDefault("")),
  /** What builds may reach, where their Namespace's annotation does not say it. */
  buildEgress: Config.schema(BuildEgress, "BUILD_EGRESS").pipe(Config.withDefault<BuildEgress>("public")),
  /** The ranges of addresses that `public` leaves out, except their port 53. */
  closedCidrs: Config.schema(Schema.String.pipe(Schema.decodeTo(ClosedCidrs, byBlanks)), "BUILD_CLOSED_CIDRS").pipe(
    Config.withDefault(defaultClosedCidrs)
  )
})

/** The part of the settings that decisions depend on, and that is therefore in their records. */
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
  closedCidrs: Schema.Array(Schema.String).pipe(Schema.withDecodingDefaultKey(Effect.succeed(defaultClosedCidrs)))
})
export type SettingsValue = typeof SettingsSchema.Type

export class Settings extends Context.Service<Settings, SettingsValue>()("enbi/lib/Settings") {
  /** `nodeRepel`: what the command line adds to that of the environment. */
  static readonly layer = (nodeRepel: ReadonlyArray<string>) =>
    Layer.effect(
      this,
      Effect.map(settings, (value) => ({ ...value, nodeRepel: [...value.nodeRepel, ...nodeRepel] }))
    )
}
