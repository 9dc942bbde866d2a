/**
 * HTTP/1.1 as Go's client writes it and Go's server reads it, since Knative is
 * written in Go: names in canonical case and sorted, after Host, User-Agent and
 * Content-Length and before Accept-Encoding. Effect's client writes all names
 * in lower case, and a function must do with both.
 */
import { Effect, FiberSet, Schema, type Scope } from "effect"
import * as http from "node:http"
import type { AddressInfo } from "node:net"
import { buffer } from "node:stream/consumers"

/** In the order of the wire; a name may come twice. */
export type Headers = ReadonlyArray<readonly [name: string, value: string]>

export interface Request {
  readonly method: string
  readonly target: string
  readonly headers: Headers
  readonly body: Buffer
}

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly body: Buffer
}

export const answer = (status: number, headers: Headers = [], body: Buffer | string = ""): Answer => ({
  status,
  headers,
  body: Buffer.from(body)
})

/** The connection could not be made, or ended before the answer did. */
export class NoAnswer extends Schema.TaggedError<NoAnswer>()("NoAnswer", { message: Schema.String }) {}

/** `ce-brokerttl` becomes `Ce-Brokerttl`. */
export const canonical = (name: string): string =>
  name
    .split("-")
    .map((word) => word.slice(0, 1).toUpperCase() + word.slice(1).toLowerCase())
    .join("-")

/** The first value under this name, as `Header.Get` gives it. */
export const valueOf = (headers: Headers, name: string): string | undefined =>
  headers.find(([other]) => canonical(other) === canonical(name))?.[1]

// Go's strings are bytes and Knative puts UTF-8 into headers as it is; node takes and gives a byte for a character.
const bytesOf = (value: string): string => Buffer.from(value, "utf8").toString("latin1")
const textOf = (value: string): string => Buffer.from(value, "latin1").toString("utf8")

const headersOf = (raw: ReadonlyArray<string>): Headers =>
  raw.flatMap((name, index) => (index % 2 === 0 ? [[name, textOf(raw[index + 1] ?? "")] as const] : []))

export interface Message {
  readonly headers: Headers
  readonly body: Buffer
}

/** Posts a message and waits for as long as the answer takes: Go's client has no time-out by itself. */
export type Post = (url: string, message: Message) => Effect.Effect<Answer, NoAnswer>

/** Connections are kept and used again, as long as the scope is open. */
export const makePost: Effect.Effect<Post, never, Scope.Scope> = Effect.map(
  Effect.acquireRelease(
    Effect.sync(() => new http.Agent({ keepAlive: true })),
    (agent) => Effect.sync(() => agent.destroy())
  ),
  (agent) => (url, message) =>
    Effect.callback<Answer, NoAnswer>((resume) => {
      const fail = (error: Error) => resume(Effect.fail(new NoAnswer({ message: `Post "${url}": ${reasonOf(error)}` })))
      const request = http.request(url, { method: "POST", agent, setHost: false }, (response) => {
        buffer(response).then(
          (body) =>
            resume(Effect.succeed({ status: response.statusCode ?? 0, headers: headersOf(response.rawHeaders), body })),
          fail
        )
      })
      for (const [name, values] of onTheWire(url, message)) request.setHeader(name, values)
      // Says that node must not add one: Go's client sends none.
      request.removeHeader("Connection")
      request.on("error", fail)
      request.end(message.body)
      return Effect.sync(() => request.destroy())
    })
)

const onTheWire = (url: string, { body, headers }: Message): ReadonlyMap<string, ReadonlyArray<string>> => {
  const sorted = headers
    .map(([name, value]) => [canonical(name), bytesOf(value)] as const)
    .toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
  const all: Headers = [
    ["Host", new URL(url).host],
    ["User-Agent", "Go-http-client/1.1"],
    ["Content-Length", String(body.length)],
    ...sorted,
    ["Accept-Encoding", "gzip"]
  ]
  const grouped = new Map<string, ReadonlyArray<string>>()
  for (const [name, value] of all) grouped.set(name, [...(grouped.get(name) ?? []), value])
  return grouped
}

// Go calls a connection that ends without an answer EOF.
const reasonOf = (error: Error & { readonly code?: string }): string =>
  error.code === "ECONNRESET" ? "EOF" : error.message

export interface Address {
  /** Absent: loopback. */
  readonly host?: string
  readonly port: number
}

/**
 * Answers until the scope ends; tells its URL, without a slash at the end. Port 0 is one that is free.
 * "reset" ends the connection unanswered.
 */
export const serve = Effect.fnUntraced(function* <R>(
  { host = "127.0.0.1", port }: Address,
  respond: (request: Request) => Effect.Effect<Answer | "reset", never, R>
) {
  const context = yield* Effect.context<R>()
  const fibers = yield* FiberSet.make<void>()
  const run = yield* FiberSet.runtime(fibers)<never>()
  const server = http.createServer({ keepAliveTimeout: 65_000 }, (incoming, outgoing) => {
    run(
      Effect.gen(function* () {
        const body = yield* Effect.promise(() => buffer(incoming))
        const { method = "GET", url: target = "/" } = incoming
        const answered = yield* respond({ method, target, headers: headersOf(incoming.rawHeaders), body })
        yield* write(outgoing, answered, method !== "HEAD")
      }).pipe(Effect.provideContext(context))
    )
  })
  yield* Effect.acquireRelease(
    Effect.callback<void>((resume) => {
      server.listen(port, host, () => resume(Effect.void))
    }),
    () =>
      Effect.callback<void>((resume) => {
        server.close(() => resume(Effect.void))
        server.closeAllConnections()
      })
  )
  return {
    url: `http://127.0.0.1:${portOf(server.address())}`,
    /** Waits until every request is answered. */
    idle: FiberSet.awaitEmpty(fibers)
  }
})

const portOf = (address: AddressInfo | string | null): number =>
  address === null || typeof address === "string" ? 0 : address.port

const write = (outgoing: http.ServerResponse, answered: Answer | "reset", isWhole: boolean) =>
  Effect.callback<void>((resume) => {
    outgoing.once("close", () => resume(Effect.void))
    if (answered === "reset") {
      outgoing.destroy()
      return
    }
    for (const [name, value] of answered.headers) outgoing.setHeader(name, bytesOf(value))
    // Go's server writes neither this nor Keep-Alive.
    outgoing.removeHeader("Connection")
    if (isWhole && answered.status !== 204) outgoing.setHeader("Content-Length", String(answered.body.length))
    outgoing.writeHead(answered.status)
    outgoing.end(answered.body)
  })
