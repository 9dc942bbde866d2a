/** The registry's settings, from its Deployment's environment; what they mean stands in `lib/api/setting-descriptions.ts`. */
import { Config, Effect, Schema } from "effect"

// containerd gives up after 30 s, and so do others.
const Wait = Schema.FiniteFromString.check(Schema.isInt(), Schema.isBetween({ minimum: 0, maximum: 25 }))

/** Each setting with the value that its Deployment gives it. */
export const defaults = {
  DISTRIBUTION_URL: "http://127.0.0.1:5000",
  REGISTRY_CATALOG: "false",
  REGISTRY_STORAGE: "/var/lib/registry",
  WAIT_SECONDS: "0"
}

export const settings = Config.all({
  distribution: Config.URL("DISTRIBUTION_URL").pipe(Config.withDefault(new URL(defaults.DISTRIBUTION_URL))),
  hasCatalog: Config.Boolean("REGISTRY_CATALOG").pipe(Config.withDefault(false)),
  storage: Config.NonEmptyString("REGISTRY_STORAGE").pipe(Config.withDefault(defaults.REGISTRY_STORAGE)),
  waitSeconds: Config.schema(Wait, "WAIT_SECONDS").pipe(Config.withDefault(0))
})
export type Settings = Effect.Success<typeof settings>
