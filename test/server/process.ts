/** A function as the image runs it: its program, bundled, over an API server that has nothing. */
import { NodeHttpServer } from "@effect/platform-node"
import { Deferred, Effect, FileSystem, Layer, Path, Stream } from "effect"
import { HttpRouter, HttpServer, HttpServerRequest, HttpServerResponse } from "effect/http"
import { ChildProcess, ChildProcessSpawner } from "effect/process"
import { createServer } from "node:http"
import { bundleProgram } from "../../images/bundle.ts"

const root = new URL("../../", import.meta.url)

/** The path of a function's program, for as long as the scope is open. */
export const makeProgram = Effect.fnUntraced(function* (name: string) {
  const files = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const directory = yield* files.makeTempDirectoryScoped()
  const file = path.join(directory, `${name}.js`)
  yield* bundleProgram(yield* path.fromFileUrl(root), name, file)
  yield* files.writeFileString(path.join(directory, "package.json"), '{ "type": "module" }')
  return file
})

/** Answers each request with 404 once `before` is done; its URL, and the paths that it was asked for. */
export const serveNothing = Effect.fnUntraced(function* (before: Effect.Effect<unknown>) {
  const asked: Array<string> = []
  const answer = Effect.gen(function* () {
    const { url } = yield* HttpServerRequest.HttpServerRequest
    asked.push(url)
    yield* before
    return HttpServerResponse.jsonUnsafe({ reason: "NotFound", message: "nothing is here" }, { status: 404 })
  })
  const server = HttpRouter.serve(HttpRouter.add("*", "/*", answer), {
    disableLogger: true,
    disableListenLog: true
  }).pipe(Layer.provideMerge(NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1" })))
  const context = yield* Layer.build(server)
  return { asked, url: yield* HttpServer.addressFormattedWith(Effect.succeed).pipe(Effect.provide(context)) }
})

const freePort = Effect.scoped(
  Effect.gen(function* () {
    const { address } = yield* NodeHttpServer.make(createServer, { port: 0, host: "127.0.0.1" })
    return address._tag === "UnixPathAddress" ? yield* Effect.die("no port") : address.port
  })
)

/** The process, which ends with the scope, where it will listen, and what it logs. */
export const startProgram = Effect.fnUntraced(function* (file: string, env: Record<string, string>) {
  const spawner = yield* ChildProcessSpawner.ChildProcessSpawner
  const port = yield* freePort
  const handle = yield* spawner.spawn(
    ChildProcess.make(process.execPath, [file], { env: { PORT: String(port), ...env }, stdin: "ignore" })
  )
  const lines: Array<string> = []
  const isListening = yield* Deferred.make<void>()
  // To the end: a process whose output nobody reads comes to a stop.
  const output = yield* handle.all.pipe(
    Stream.decodeText,
    Stream.splitLines,
    Stream.runForEach((line) => {
      lines.push(line)
      return line.includes("Listening on") ? Deferred.succeed(isListening, undefined) : Effect.void
    }),
    Effect.forkScoped
  )
  return { handle, url: `http://127.0.0.1:${port}`, lines, isListening: Deferred.await(isListening), output }
})
