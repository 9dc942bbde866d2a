/** What builds reach in a namespace that is held to public addresses, and in one that is not. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Option, Schema } from "effect"
import { managedBy, persistentVolumeClaims, pods } from "../../lib/kubernetes/kinds.ts"
import { networkPolicies } from "../../lib/kubernetes/network-policy.ts"
import { nixBuilds } from "../../lib/api/nixbuild.ts"
import { defaultClosedCidrs, makeEgressPolicy } from "../../lib/api/egress.ts"
import { buildEgressAnnotation, followsEgressAnnotation, nixBuildUidLabel } from "../../lib/api/annotations.ts"
import { egressPolicyName } from "../../lib/api/names.ts"
import {
  apply,
  becomes,
  builderImage,
  complete,
  conditionWith,
  eventually,
  find,
  kubectl,
  list,
  makeNamespace,
  nixBuild,
  pod,
  services,
  when
} from "./cluster.ts"
import { enforcing, metadataAddress, port, publicAddress } from "./enforcing.ts"

const asking = Effect.fnUntraced(function* (name: string, egress: string) {
  const made = yield* makeNamespace(name)
  yield* kubectl("annotate", "namespace", made, `${buildEgressAnnotation}=${egress}`)
  return made
})

const policyOf = (namespace: string) => find(networkPolicies, { namespace, name: egressPolicyName })

const Reached = Schema.fromJsonString(Schema.Record(Schema.String, Schema.Boolean))

const targets = {
  "the API server": ["kubernetes.default.svc", 443],
  "a Service": ["flakes.enbi-flakes.svc", 80],
  metadata: [metadataAddress, port],
  "a public address": [publicAddress, port]
}

// To which a connection comes about within some seconds; names are resolved first.
const script = `
  const { connect } = require("node:net")
  const reach = ([host, port]) => new Promise((done) => {
    const socket = connect({ host, port, timeout: 3000 })
    const end = (is) => { socket.destroy(); done(is) }
    socket.on("connect", () => end(true)).on("timeout", () => end(false))
    socket.on("error", (error) => { if (error.code === "ENOTFOUND" || error.code === "EAI_AGAIN") throw error; end(false) })
  })
  Promise.all(Object.entries(${JSON.stringify(targets)}).map(async ([name, at]) => [name, await reach(at)]))
    .then((all) => console.log(JSON.stringify(Object.fromEntries(all))))`

/** A Pod with the labels of a build's. */
const startProbe = Effect.fnUntraced(function* (namespace: string) {
  const at = { namespace, name: "probe" }
  const container = { image: builderImage, args: ["-e", "setInterval(() => {}, 1e9)"] }
  const object = pod(at, { container })
  yield* apply({ ...object, metadata: { ...object.metadata, labels: { ...managedBy, [nixBuildUidLabel]: "probe" } } })
  yield* becomes("the probe runs", pods, at, (found) =>
    Option.filter(found, ({ status }) => status?.containerStatuses?.[0]?.state?.running !== undefined)
  )
  return Effect.flatMap(
    kubectl("exec", "-n", namespace, at.name, "--", "node", "-e", script),
    Schema.decodeUnknownEffect(Reached)
  )
})

const open = { "the API server": true, "a Service": true, metadata: true, "a public address": true }
const held = { "the API server": false, "a Service": false, metadata: false, "a public address": true }

describe("builds", () => {
  it.live("of a namespace that is held to public addresses have a policy, and say what they may not reach", () =>
    Effect.gen(function* () {
      const ns = yield* asking("egress-policy", "public")
      const at = { namespace: ns, name: "closed" }
      yield* apply(nixBuild(at, {}))
      const { status } = yield* complete(at)
      assert.strictEqual(status?.failure?.reason, "AddressClosed")
      assert.match(
        status?.failure?.message ?? "",
        /flakes\.enbi-flakes\.svc\.cluster\.local has the address 10\.[\d.]+, in 10\.0\.0\.0\/8.*BUILD_CLOSED_CIDRS/u
      )
      const policy = yield* Effect.fromOption(yield* policyOf(ns))
      assert.deepStrictEqual(policy.spec, makeEgressPolicy({ closedCidrs: defaultClosedCidrs, namespace: ns }).spec)
      const claims = yield* list(persistentVolumeClaims, ns)
      assert.isTrue(claims.every(({ metadata }) => metadata.annotations?.[followsEgressAnnotation] === "true"))
      // Another build finds it is.
      yield* apply(nixBuild({ ...at, name: "again" }, { packageName: "other" }))
      yield* complete({ ...at, name: "again" })
      assert.deepStrictEqual(yield* policyOf(ns), Option.some(policy))
      // What is opened is open to the next attempt.
      yield* kubectl("annotate", "namespace", ns, `${buildEgressAnnotation}=open`, "--overwrite")
      yield* kubectl("annotate", "nixbuild", "-n", ns, at.name, "enbi.hrzn.ee/retry=1")
      yield* becomes("it is built after all", nixBuilds, at, (found) =>
        Option.filter(found, (build) => build.status?.status === "Succeeded")
      )
      assert.isTrue(Option.isNone(yield* policyOf(ns)))
      yield* kubectl("annotate", "namespace", ns, `${buildEgressAnnotation}=public`, "--overwrite")
      yield* apply(nixBuild({ ...at, name: "closed-again" }, {}))
      assert.strictEqual((yield* complete({ ...at, name: "closed-again" })).status?.failure?.reason, "AddressClosed")
      assert.isTrue(Option.isSome(yield* policyOf(ns)))
      // Somebody else's takes its place, and what the Namespace asks for is then nobody's matter but theirs.
      yield* apply({
        apiVersion: "networking.k8s.io/v1",
        kind: "NetworkPolicy",
        metadata: { name: "theirs", namespace: ns },
        spec: { podSelector: {}, policyTypes: ["Egress"], egress: [{}] }
      })
      yield* apply(nixBuild({ ...at, name: "theirs" }, {}))
      assert.strictEqual((yield* complete({ ...at, name: "theirs" })).status?.status, "Succeeded")
      assert.isTrue(Option.isNone(yield* policyOf(ns)))
    }).pipe(Effect.provide(services))
  )

  it.live("wait where the Namespace asks for what is nothing", () =>
    Effect.gen(function* () {
      const at = { namespace: yield* asking("egress-misspelt", "opne"), name: "build" }
      yield* apply(nixBuild(at, {}))
      const { message } = yield* conditionWith(at, "BuildEgressInvalid")
      assert.include(message, `${buildEgressAnnotation} is "opne"`)
      yield* kubectl("annotate", "namespace", at.namespace, `${buildEgressAnnotation}=open`, "--overwrite")
      assert.strictEqual((yield* complete(at)).status?.status, "Succeeded")
    }).pipe(Effect.provide(services))
  )

  it.live("reach public addresses and names, and nothing of the cluster, where policies are kept", () =>
    Effect.gen(function* () {
      const target = (yield* kubectl(
        "get",
        "service",
        "-n",
        "enbi-flakes",
        "flakes",
        "-o",
        "jsonpath={.spec.clusterIP}"
      )).trim()
      yield* enforcing(target)
      const flakeUrl = `http://${publicAddress}:${port}/images.tar.gz`
      const [inside, outside] = [yield* asking("egress-held", "public"), yield* asking("egress-open", "open")]
      const build = (namespace: string, packageName: string) =>
        Effect.gen(function* () {
          const at = { namespace, name: packageName }
          yield* apply(nixBuild(at, { flakeUrl, packageName, sandbox: packageName === "hello" }))
          return (yield* complete(at)).status
        })
      assert.strictEqual((yield* build(inside, "hello"))?.status, "Succeeded")
      const network = yield* build(inside, "try-network")
      assert.strictEqual(network?.failure?.reason, "BuildFailed")
      assert.include(network?.failure?.log, "the network is out of reach")
      // The same package, the same flake: so it was the policy.
      assert.strictEqual((yield* build(outside, "try-network"))?.status, "Succeeded")
      assert.deepStrictEqual(yield* yield* startProbe(outside), open)
      const probe = yield* startProbe(inside)
      // Whoever keeps policies learns of the Pod's address a moment after it has one.
      yield* eventually(
        "the probe is held",
        Effect.map(probe, (reached) => when(reached, JSON.stringify(reached) === JSON.stringify(held)))
      )
    }).pipe(Effect.scoped, Effect.provide(services))
  )
})
