/** The span that a `traceparent` of W3C Trace Context names, if it is one. */
import { Headers, HttpTraceContext } from "effect/http"

export const spanOf = (traceparent: string) => HttpTraceContext.w3c(Headers.fromInput({ traceparent }))
