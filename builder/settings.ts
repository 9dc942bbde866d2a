/** What the Jobs' containers are told by their environment; a wrong value ends the program before it does anything. */
import { Config, Schema } from "effect"
import { systems } from "../lib/api/system.ts"

/** The NixBuild's uid: names the folders on the cache volume, so it may be nothing but a UUID. */
export const uid = Config.schema(
  Schema.String.check(Schema.isPattern(/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/u)),
  "NIXBUILD_UID"
)

export const system = Config.schema(Schema.Literals(systems), "SYSTEM")

/** Where kubelet reads a container's last words. */
export const terminationLog = Config.String("TERMINATION_LOG").pipe(Config.withDefault("/dev/termination-log"))

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
  sandbox: Config.Boolean("SANDBOX")
})
export type BuildSettings = Config.Success<typeof buildSettings>

/** The import Job's settings. */
export const importSettings = Config.all({
  imageTag: Config.NonEmptyString("IMAGE_TAG"),
  system,
  uid,
  socket: Config.NonEmptyString("CONTAINERD_SOCKET")
})
export type ImportSettings = Config.Success<typeof importSettings>

/** Where the cache volume is mounted and what lies on it beside Nix's own. */
export const cache = {
  layout: (uid: string) => `/nix/enbi/layouts/${uid}`,
  roots: (uid: string) => `/nix/enbi/roots/${uid}`
}
