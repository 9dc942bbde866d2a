/** The settings that this function reads, which stand in the records of its decisions. */
import { Effect, Schema, Struct } from "effect"
import { Settings, SettingsSchema } from "../../lib/api/settings.ts"

export const settings = ["imageRegistry", "keepReplacedSeconds", "packageSet"] as const

export const ImageSettings = Schema.Struct(Struct.pick(SettingsSchema.fields, settings))

export const imageSettings = Effect.map(Settings, ({ imageRegistry, keepReplacedSeconds, packageSet }) => ({
  imageRegistry,
  keepReplacedSeconds,
  packageSet
}))
