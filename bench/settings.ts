/** Settings for Pods and Jobs that a measurement makes as the functions would. */
import { Schema } from "effect"
import { SettingsSchema } from "../lib/api/settings.ts"

// The shape of Jobs depends on no other setting.
export const settingsWith = (builderImage: string) =>
  Schema.decodeUnknownEffect(SettingsSchema)({
    builderImage,
    maxBuildsPerNode: 2,
    nodeRepel: [],
    retryDelaysSeconds: [],
    substituters: [],
    trustedPublicKeys: []
  })
