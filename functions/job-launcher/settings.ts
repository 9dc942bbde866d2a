/** The settings that the launcher reads, which stand in the records of its decisions. */
import { Schema, Struct } from "effect"
import { SettingsSchema } from "../../lib/api/settings.ts"

export const settings = [
  "builderImage",
  "buildEgress",
  "cacheLimitBytes",
  "caCertificates",
  "closedCidrs",
  "httpProxy",
  "httpsProxy",
  "noProxy",
  "nodeRepel",
  "substituters",
  "trustedPublicKeys"
] as const

export const LauncherSettings = Schema.Struct(Struct.pick(SettingsSchema.fields, settings))
export type LauncherSettings = typeof LauncherSettings.Type
