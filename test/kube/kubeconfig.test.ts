/** Kubeconfigs as people have them: which files count, and by what an API server knows us. */
import { NodeServices } from "@effect/platform-node"
import { assert, layer } from "@effect/vitest"
import { Cause, ConfigProvider, Effect, FileSystem, Layer, Option } from "effect"
import { readFileSync } from "node:fs"
import { createServer, type Server } from "node:https"
import { TLSSocket } from "node:tls"
import { stringify } from "yaml"
import { KubernetesApi, layerWith } from "../../lib/kubernetes/connection.ts"
import { type ClusterAccess, readKubeconfig } from "../../lib/kubernetes/kubeconfig.ts"

// Each is its own authority: openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 36500 -x509
const pem = (name: string) => readFileSync(new URL(`tls/${name}`, import.meta.url), "utf8")
const base64 = (text: string) => Buffer.from(text).toString("base64")

/** Answers who asked: the name in the client's certificate, and what the headers say. */
const makeServer = Effect.acquireRelease(
  Effect.callback<{ readonly server: Server; readonly port: number }>((resume) => {
    const tls = { cert: pem("server.crt"), key: pem("server.key"), ca: [pem("one.crt"), pem("two.crt")] }
    const server = createServer(
      { ...tls, requestCert: true, rejectUnauthorized: false },
      ({ headers, socket }, response) => {
        const certificate = socket instanceof TLSSocket ? socket.getPeerCertificate().subject?.CN : undefined
        const { authorization, "impersonate-user": as } = headers
        response.end(JSON.stringify({ certificate, authorization, as, connection: socket.remotePort }))
      }
    )
    server.listen(0, "127.0.0.1", () => {
      const address = server.address()
      resume(Effect.succeed({ server, port: address === null || typeof address === "string" ? 0 : address.port }))
    })
  }),
  ({ server }) => Effect.sync(() => (server.closeAllConnections(), server.close()))
)

const trusted = { "certificate-authority-data": base64(pem("server.crt")) }

/** With one context, `test`, and what differs. */
const configOf = (
  port: number,
  user: object,
  { cluster = trusted, context = {} }: { cluster?: object; context?: object } = {}
) => ({
  apiVersion: "v1",
  kind: "Config",
  "current-context": "test",
  clusters: [{ name: "test", cluster: { server: `https://127.0.0.1:${port}/`, ...cluster } }],
  users: [{ name: "test", user }],
  contexts: [{ name: "test", context: { cluster: "test", user: "test", ...context } }]
})

const directory = Effect.gen(function* () {
  const files = yield* FileSystem.FileSystem
  return yield* files.makeTempDirectoryScoped({ prefix: "enbi-test-" })
})

const write = Effect.fnUntraced(function* (file: string, text: string) {
  const files = yield* FileSystem.FileSystem
  yield* files.writeFileString(file, text, { mode: 0o700 })
  return file
})

const read = (KUBECONFIG: string, context?: string) =>
  readKubeconfig(Option.fromNullishOr(context)).pipe(
    Effect.provide(ConfigProvider.layer(ConfigProvider.fromUnknown({ KUBECONFIG })))
  )

const readOne = Effect.fnUntraced(function* (config: object) {
  return yield* read(yield* write(`${yield* directory}/config`, stringify(config)))
})

/** What the server says of each of so many requests, one after the other. */
const ask = (place: ClusterAccess, count = 1) =>
  Effect.gen(function* () {
    const { request } = yield* KubernetesApi
    return yield* Effect.replicateEffect(request("GET", "/api"), count)
  }).pipe(Effect.provide(layerWith(place)))

/** An exec plugin that gives what `credential` says, and leaves a line for each time that it ran. */
const plugin = Effect.fnUntraced(function* (credential: string) {
  const at = yield* directory
  const runs = `${at}/runs`
  const program = `
const { appendFileSync, readFileSync } = require("node:fs")
appendFileSync(${JSON.stringify(runs)}, process.env.KUBERNETES_EXEC_INFO + "\\n")
const run = readFileSync(${JSON.stringify(runs)}, "utf8").split("\\n").length - 1
const status = ${credential}
console.log(JSON.stringify({ apiVersion: "client.authentication.k8s.io/v1", kind: "ExecCredential", status }))
`
  const command = yield* write(`${at}/plugin.cjs`, `#!${process.execPath}${program}`)
  const files = yield* FileSystem.FileSystem
  return {
    user: { exec: { apiVersion: "client.authentication.k8s.io/v1", command, interactiveMode: "Never" } },
    runs: Effect.map(files.readFileString(runs), (text) => text.trimEnd().split("\n"))
  }
})

const users: Record<string, readonly [user: object, known: object]> = {
  "a client certificate": [
    { "client-certificate-data": base64(pem("one.crt")), "client-key-data": base64(pem("one.key")) },
    { certificate: "one" }
  ],
  "a token": [{ token: "t" }, { authorization: "Bearer t" }],
  "a name and a password": [{ username: "u", password: "p:q" }, { authorization: `Basic ${base64("u:p:q")}` }],
  "a token, for somebody else": [
    { token: "t", as: "else" },
    { authorization: "Bearer t", as: "else" }
  ]
}

layer(NodeServices.layer)("a kubeconfig", (it) => {
  for (const [what, [user, known]] of Object.entries(users)) {
    it.effect(`makes us known by ${what}, over one connection`, () =>
      Effect.gen(function* () {
        const { port } = yield* makeServer
        const [first, second] = yield* ask(yield* readOne(configOf(port, user)), 2)
        assert.deepInclude(first, known)
        assert.deepStrictEqual(second, first)
      }).pipe(Effect.scoped)
    )
  }

  it.effect("has an exec plugin run again when its credential's time is over, and only then", () =>
    Effect.gen(function* () {
      const { port } = yield* makeServer
      // The first two are over at once: when the kubeconfig is read, and with the first request.
      const time = `new Date(run < 3 ? 0 : Date.now() + 3600000).toISOString()`
      const { runs, user } = yield* plugin(`({ token: "t" + run, expirationTimestamp: ${time} })`)
      const place = yield* readOne(configOf(port, user))
      const answers = yield* Effect.gen(function* () {
        const { request } = yield* KubernetesApi
        return yield* Effect.replicateEffect(request("GET", "/api"), 5, { concurrency: 5 })
      }).pipe(Effect.provide(layerWith(place)))
      assert.deepStrictEqual(
        answers.map((answer) => (answer instanceof Object && "authorization" in answer ? answer.authorization : "")),
        ["Bearer t2", "Bearer t3", "Bearer t3", "Bearer t3", "Bearer t3"]
      )
      const info = { apiVersion: user.exec.apiVersion, kind: "ExecCredential", spec: { interactive: false } }
      assert.deepStrictEqual(yield* runs, Array(3).fill(JSON.stringify(info)))
    }).pipe(Effect.scoped)
  )

  it.effect("connects anew when an exec plugin gives another certificate", () =>
    Effect.gen(function* () {
      const { port } = yield* makeServer
      const pair = (name: string) => JSON.stringify([pem(`${name}.crt`), pem(`${name}.key`)])
      const { user } = yield* plugin(`(() => {
        const [clientCertificateData, clientKeyData] = run < 3 ? ${pair("one")} : ${pair("two")}
        return { clientCertificateData, clientKeyData, expirationTimestamp: new Date(0).toISOString() }
      })()`)
      const [first, second] = yield* ask(yield* readOne(configOf(port, user)), 2)
      assert.deepInclude(first, { certificate: "one" })
      assert.deepInclude(second, { certificate: "two" })
    }).pipe(Effect.scoped)
  )

  it.effect("knows the server by another name, or by none where that is asked for, and otherwise refuses it", () =>
    Effect.gen(function* () {
      const { port } = yield* makeServer
      const askAt = Effect.fnUntraced(function* (cluster: object) {
        return yield* ask(yield* readOne(configOf(port, { token: "t" }, { cluster })))
      })
      yield* askAt({ ...trusted, "tls-server-name": "api.test" })
      yield* askAt({ "insecure-skip-tls-verify": true })
      const whyNot = (cluster: object) => Effect.map(Effect.flip(Effect.sandbox(askAt(cluster))), Cause.pretty)
      assert.match(yield* whyNot({}), /self-signed certificate/)
      assert.match(yield* whyNot({ ...trusted, "tls-server-name": "x.test" }), /x\.test/)
    }).pipe(Effect.scoped)
  )

  it.effect(
    "is merged of all that KUBECONFIG lists: what comes first counts, and what is not there is passed over",
    () =>
      Effect.gen(function* () {
        const { port } = yield* makeServer
        const at = yield* directory
        const far = {
          "current-context": "far",
          users: [{ name: "test", user: { token: "of the second file" } }],
          contexts: [{ name: "far", context: { cluster: "test", user: "test", namespace: "there" } }]
        }
        const files = [
          yield* write(`${at}/one`, stringify(configOf(port, { token: "first" }))),
          `${at}/missing`,
          yield* write(`${at}/two`, stringify(far))
        ].join(":")
        const place = yield* read(files)
        assert.strictEqual(place.namespace, "default")
        assert.deepInclude((yield* ask(place))[0], { authorization: "Bearer first" })
        assert.strictEqual((yield* read(files, "far")).namespace, "there")
      }).pipe(Effect.scoped)
  )

  it.effect("goes before a Pod's ServiceAccount where KUBECONFIG names it, and KUBERNETES_URL before both", () =>
    Effect.gen(function* () {
      const { port } = yield* makeServer
      const KUBECONFIG = yield* write(`${yield* directory}/config`, stringify(configOf(port, { token: "t" })))
      const askWith = (settings: Record<string, string>) =>
        Effect.flatMap(KubernetesApi, ({ request }) => request("GET", "/api")).pipe(
          Effect.provide(
            Layer.fresh(KubernetesApi.layer).pipe(
              Layer.provide(ConfigProvider.layer(ConfigProvider.fromUnknown(settings)))
            )
          )
        )
      const inCluster = { KUBERNETES_SERVICE_HOST: "127.0.0.1", KUBERNETES_SERVICE_PORT: "1" }
      assert.deepInclude(yield* askWith({ ...inCluster, KUBECONFIG }), { authorization: "Bearer t" })
      assert.match(String(yield* Effect.flip(askWith(inCluster))), /serviceaccount\/ca.crt/)
      const url = "http://127.0.0.1:1"
      assert.include(String(yield* Effect.flip(askWith({ ...inCluster, KUBECONFIG, KUBERNETES_URL: url }))), url)
    }).pipe(Effect.scoped)
  )

  it.effect("says what is wrong with it", () =>
    Effect.gen(function* () {
      const at = yield* directory
      const config = yield* write(`${at}/config`, stringify(configOf(1, { token: "t" })))
      const told = (file: string, context?: string) =>
        Effect.map(Effect.flip(read(file, context)), ({ message }) => message)
      assert.strictEqual(yield* told(`${at}/none`), `There is no kubeconfig ${at}/none.`)
      assert.strictEqual(yield* told(config, "far"), `There is no context far with a cluster in ${config}.`)
      const empty = yield* write(`${at}/empty`, "a: [")
      assert.match(yield* told(empty), /The kubeconfig .*empty cannot be read: /)
      const { user } = yield* plugin(`(() => { console.error("log in first"); process.exit(1) })()`)
      const failing = yield* write(`${at}/failing`, stringify(configOf(1, user)))
      assert.match(yield* told(failing), /The context test gives no credentials: .*log in first/)
    }).pipe(Effect.scoped)
  )
})
