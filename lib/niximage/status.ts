/** Writes a NixImage's status: the word that `kubectl get` prints follows from the rest. */
import { type Condition, type NixImage, nixImages, phaseOf, type Status } from "../api/niximage.ts"
import type { Reason } from "../api/reasons.ts"
import { makeStatusWriter } from "../runtime/status-writer.ts"

export const patchStatus = makeStatusWriter<NixImage, Condition["type"], Reason, Status>({
  kind: nixImages,
  initialReason: "Pending",
  summarize: (image, fields) => ({
    conditions: [],
    fields: (conditions) => ({ status: phaseOf(fields.systems ?? image.status?.systems ?? [], conditions) })
  })
})
