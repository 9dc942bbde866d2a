/** Why a request to the API server failed: its Status, or no answer. */
import { Schema } from "effect"

export class KubernetesError extends Schema.TaggedError<KubernetesError>()("KubernetesError", {
  /** HTTP status; 0 when no answer came. */
  status: Schema.Int,
  /** The reason of the API server's Status, such as Conflict, AlreadyExists, NotFound. */
  reason: Schema.String,
  message: Schema.String,
  retryAfterSeconds: Schema.optionalKey(Schema.Finite),
  cause: Schema.optionalKey(Schema.Defect())
}) {
  get isRetryable(): boolean {
    return this.status === 0 || this.status === 429 || this.status === 500 || this.status > 501
  }
  /** We are not known, or not allowed to. */
  get isDenial(): boolean {
    return this.status === 401 || this.status === 403
  }
  /** An answer, and no other try of ours is sure to get another: something has an objection to this very request. */
  get isObjection(): boolean {
    return this.status >= 400 && ![401, 404, 409, 410].includes(this.status)
  }
  get isConflict(): boolean {
    return this.status === 409 && this.reason === "Conflict"
  }
  get isMissing(): boolean {
    return this.status === 404
  }
}
