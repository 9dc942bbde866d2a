/** One request, as our codec reads it and as the SDK does. */
import { CloudEvent, HTTP } from "cloudevents"
import { Result, Schema } from "effect"
import { decodeMessage, type Message } from "../../lib/cloudevents/http.ts"

export const Headers = Schema.Record(Schema.String, Schema.String)

export interface Request {
  readonly headers: typeof Headers.Type
  readonly body: string
}

export const toRequest = ({ body, headers }: { readonly headers: unknown; readonly body: unknown }): Request => ({
  headers: Schema.decodeUnknownSync(Headers)(headers),
  body: body instanceof Uint8Array ? Buffer.from(body).toString() : String(body)
})

/** As JSON has it, which has no -0 and nothing that is undefined. */
export const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value))

/** What ours reads, as a flat object. */
export const ours = ({ body, headers }: Request): unknown => {
  const message: Message = { headers, body: Buffer.from(body) }
  return Result.match(decodeMessage(message, "percent"), {
    onFailure: () => "refused",
    onSuccess: ({ attributes, ...rest }) =>
      plain({ ...attributes, ...(rest.data instanceof Uint8Array ? { data: Array.from(rest.data) } : rest) })
  })
}

/** What the SDK reads and then holds valid, as a flat object. */
export const theirs = ({ body, headers }: Request): unknown =>
  Result.try(() => {
    const event = HTTP.toEvent({ headers: { ...headers }, body })
    if (!(event instanceof CloudEvent)) return "many"
    event.validate()
    return plain(Object.fromEntries(Object.entries(event)))
  }).pipe(Result.getOrElse(() => "refused"))
