/** What manifests of all kinds have in common. */
import { Schema } from "effect"

export const Name = Schema.String.check(Schema.isPattern(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/u), Schema.isMaxLength(63))

/** Of labels and annotations: a prefix may go before it. */
const Key = Schema.String.check(Schema.isPattern(/^([a-z0-9.-]+\/)?[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$/u))
const LabelValue = Schema.String.check(Schema.isPattern(/^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$/u))

export const Labels = Schema.Record(Key, LabelValue)

export const Annotations = Schema.Record(Key, Schema.String)

export const Metadata = Schema.Struct({ name: Name, namespace: Schema.optionalKey(Name) })
