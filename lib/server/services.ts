/** The services that functions need beside the cluster, in one process or each in its own. */
import { Layer } from "effect"
import { parseArgs } from "node:util"
import { DecisionsFile } from "../runtime/decision-file.ts"
import { KubernetesApi } from "../kubernetes/connection.ts"
import { Settings } from "../api/settings.ts"
import * as Telemetry from "../telemetry/observers.ts"
import { Traces } from "../telemetry/traces.ts"

/** The values of `--node-repel`, in order. */
export const readNodeRepel = (): ReadonlyArray<string> =>
  parseArgs({ options: { "node-repel": { type: "string", multiple: true, default: [] } } }).values["node-repel"]

/** `name` is who exports traces. */
export const layerOf = (name: string, nodeRepel: ReadonlyArray<string>) =>
  Layer.mergeAll(
    KubernetesApi.layer,
    Settings.layer(nodeRepel),
    DecisionsFile.layer,
    Traces.layer(name),
    Telemetry.layer
  )
