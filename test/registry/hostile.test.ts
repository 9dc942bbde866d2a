/** What no client sends (D48): each is answered or cut off, and the next client is served. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { createServer } from "node:http"
import { connect } from "node:net"
import { built, makeFiles, nixImage, serve } from "./world.ts"

/** Sends the bytes, and gives what comes until the server closes the connection. */
const exchange = (port: number, text: string) =>
  Effect.callback<string>((resume) => {
    const chunks: Array<Buffer> = []
    const socket = connect(port, "127.0.0.1", () => socket.write(text))
    socket.on("data", (chunk: Buffer) => chunks.push(chunk))
    // Where it does not read to the end, the kernel tells of that before of the answer.
    socket.on("error", () => undefined)
    socket.on("close", () => resume(Effect.succeed(Buffer.concat(chunks).toString("latin1"))))
    return Effect.sync(() => socket.destroy())
  })

const served = Effect.gen(function* () {
  const files = yield* makeFiles
  const { index } = yield* files.keepImage("amd64", [new Uint8Array(100)])
  const status = { status: "Built", holds: "x:v1", systems: [built(index.digest)] } as const
  return yield* serve({ files, items: [nixImage({ name: "x", status })] })
})

const rows: Record<string, readonly [text: string, status: string]> = {
  "a header of a megabyte": [
    `GET /v2/ HTTP/1.1\r\nHost: x\r\nX-Large: ${"a".repeat(1_000_000)}\r\n\r\n`,
    "431 Request Header Fields Too Large"
  ],
  "a path of a megabyte": [
    `GET /v2/${"a".repeat(1_000_000)} HTTP/1.1\r\nHost: x\r\n\r\n`,
    "431 Request Header Fields Too Large"
  ],
  "two lengths of one body": [
    "POST /v2/x/blobs/uploads/ HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /v2/ HTTP/1.1\r\n\r\n",
    "400 Bad Request"
  ],
  "two different lengths": [
    "POST /v2/ HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcde",
    "400 Bad Request"
  ],
  "no HTTP at all, as the TLS that containerd tries first": ["\x16\x03\x01\x02\x00\x01\x00\x01\xfc", "400 Bad Request"],
  "a zero byte in a path": ["GET /v2/x\x00y HTTP/1.1\r\nHost: x\r\n\r\n", "400 Bad Request"]
}

layer(NodeServices.layer)("the registry", (it) => {
  for (const [what, [text, status]] of Object.entries(rows)) {
    it.effect(`answers ${what} with ${status}, and then others`, () =>
      Effect.gen(function* () {
        const { ask, port } = yield* served
        const answer = yield* exchange(port, text)
        assert.strictEqual(answer.split("\r\n", 1)[0], `HTTP/1.1 ${status}`)
        assert.strictEqual((yield* ask({ path: "/v2/x/manifests/v1" })).status, 200)
      }).pipe(Effect.scoped)
    )
  }

  it.effect("waits for no client that never comes to the end of its headers", () =>
    Effect.gen(function* () {
      // Node looks every 30 s and allows 10 s: here it looks at once, and allows next to nothing.
      const server = () => createServer({ headersTimeout: 1, connectionsCheckingInterval: 10 })
      const { port } = yield* serve({ files: yield* makeFiles, items: [], server })
      const answer = yield* exchange(port, "GET /v2/ HTTP/1.1\r\nHost: x\r\nX-Slow: ")
      assert.strictEqual(answer.split("\r\n", 1)[0], "HTTP/1.1 408 Request Timeout")
    }).pipe(Effect.scoped)
  )
})
