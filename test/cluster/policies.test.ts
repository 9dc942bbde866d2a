/** What the functions' account may not do, although its rights alone would let it. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { managedBy } from "../../lib/kubernetes/kinds.ts"
import { makeEgressPolicy } from "../../lib/api/egress.ts"
import { apply, builderImage, kubectl, makeNamespace, nixBuild, pod, refusalOf, services } from "./cluster.ts"
import { account, container, job, mounting } from "./policy-jobs.ts"

const as = ["--as", account]
/** A function's own account on Knative; the group's rights are what RBAC has no objection to. */
const asFunction = (name: string) => [
  "--as",
  `system:serviceaccount:enbi-system:${name}`,
  "--as-group",
  "system:masters"
]
const theirs = { as: account }
const dryRun = { dryRun: true }
const theirDryRun = { ...theirs, ...dryRun }

/** What the API server has against a function of this name that creates it. */
const asked = (name: string, object: object) =>
  refusalOf(object, "create", { ...dryRun, as: `system:serviceaccount:enbi-system:${name}`, asGroup: "system:masters" })

const volume = (path: string, labels: Record<string, string> = managedBy) => ({
  apiVersion: "v1",
  kind: "PersistentVolume",
  metadata: { name: "policy-test", labels },
  spec: { capacity: { storage: "1Gi" }, accessModes: ["ReadWriteOnce"], hostPath: { path } }
})

describe("policies", () => {
  it.live(
    "Pods: the woken annotation, the end of those of our Jobs, and nothing else; creation only as a dry run",
    () =>
      Effect.gen(function* () {
        const ns = yield* makeNamespace("policies")
        const object = pod(
          { namespace: ns, name: "victim" },
          { annotations: { mine: "1" }, container: { image: builderImage, args: ["-e", "0"] } }
        )
        assert.include(yield* refusalOf(object, "create", theirs), "only in dry runs")
        assert.strictEqual(yield* refusalOf(object, "create", theirDryRun), "")
        const labels = { ...managedBy, "enbi.hrzn.ee/nixbuild-uid": "x" }
        const ours = { ...object, metadata: { ...object.metadata, name: "ours", labels } }
        yield* apply(object, ours)
        const patchOf = (change: object, name = "victim", by: ReadonlyArray<string> = as) =>
          Effect.map(kubectl("patch", "pod", name, "-n", ns, "-p", JSON.stringify(change), ...by), () => "").pipe(
            Effect.orElseSucceed(() => "refused")
          )
        const woken = (value: string) => ({ metadata: { annotations: { "enbi.hrzn.ee/woken": value } } })
        assert.strictEqual(yield* patchOf(woken("now")), "")
        assert.strictEqual(yield* patchOf(woken("later"), "victim", asFunction("importer-status")), "refused")
        assert.strictEqual(yield* patchOf(woken("later"), "victim", asFunction("pod-waker")), "")
        assert.strictEqual(yield* patchOf({ metadata: { annotations: { mine: "2" } } }), "refused")
        assert.strictEqual(yield* patchOf({ metadata: { annotations: { mine: null } } }), "refused")
        assert.strictEqual(yield* patchOf({ metadata: { annotations: { other: "1" } } }), "refused")
        assert.strictEqual(yield* patchOf({ metadata: { labels: { a: "b" } } }), "refused")
        assert.strictEqual(yield* patchOf({ spec: { containers: [{ name: "app", image: "evil:1" }] } }), "refused")
        const end = { activeDeadlineSeconds: 1 }
        assert.strictEqual(yield* patchOf({ spec: end }), "refused")
        assert.strictEqual(yield* patchOf({ spec: { activeDeadlineSeconds: 2 } }, "ours"), "refused")
        const evil = { containers: [{ name: "app", image: "evil:1" }] }
        assert.strictEqual(yield* patchOf({ spec: { ...end, ...evil } }, "ours"), "refused")
        const tolerations = [{ operator: "Exists" }]
        assert.strictEqual(yield* patchOf({ spec: { ...end, tolerations } }, "ours"), "refused")
        assert.strictEqual(yield* patchOf({ spec: end }, "ours", asFunction("pod-waker")), "refused")
        assert.strictEqual(yield* patchOf({ spec: end }, "ours"), "")
      }).pipe(Effect.provide(services))
  )

  it.live("Jobs: none of the node but what imports need, no token, no privilege, and only for NixBuilds", () =>
    Effect.gen(function* () {
      const ns = yield* makeNamespace("policies-jobs")
      const here = { namespace: ns, name: "j" }
      const system = { namespace: "enbi-system", name: "policy-test" }
      const create = (object: object) => refusalOf(object, "create", theirDryRun)
      assert.strictEqual(yield* create(job(here)), "")
      assert.strictEqual(yield* create(job(system, mounting("/var/lib/enbi/x"))), "")
      assert.strictEqual(yield* create(job(system, mounting("/run/containerd/containerd.sock"))), "")
      assert.strictEqual(yield* asked("importer", job(system)), "")
      assert.include(yield* asked("importer", job(here)), "importer may create no other Jobs")
      assert.strictEqual(yield* asked("job-launcher", job(here)), "")
      assert.include(yield* asked("job-launcher", job(system)), "only importer may create")
      assert.include(yield* create(job(here, {}, { "enbi.hrzn.ee/nixbuild-uid": "x" })), "only Jobs with their label")
      assert.include(yield* create(job(here, {}, managedBy)), "only the Jobs of NixBuilds")
      assert.include(yield* create(job(system, {}, managedBy)), "only the Jobs of NixBuilds")
      const own = container(ns)
      const removing = { containers: [{ ...own, args: ["/app/remove-volume.js"] }] }
      assert.include(yield* asked("importer", job(system, removing, managedBy)), "importer may create no other Jobs")
      const both = { containers: [container("enbi-system"), { ...own, name: "d", args: ["/app/remove-volume.js"] }] }
      for (const name of ["importer", "job-launcher"]) {
        assert.include(yield* asked(name, job(system, both)), "only importer may create", name)
      }
      assert.strictEqual(yield* create(job(system, { ...removing, ...mounting("/var/lib/enbi") }, managedBy)), "")
      assert.include(yield* create(job(here, removing, managedBy)), "only the Jobs of NixBuilds")
      assert.include(yield* create(job(system, removing, {})), "only Jobs with their label")
      const hook = { exec: { command: ["sh"] } }
      const empty = { volumes: [{ name: "v", emptyDir: {} }] }
      const mounted = (mountPath: string) => ({ volumeMounts: [{ name: "v", mountPath }] })
      const adding = (...add: ReadonlyArray<string>) => ({
        securityContext: { allowPrivilegeEscalation: false, capabilities: { add } }
      })
      for (const [spec, message] of [
        [{ initContainers: [{ ...own, name: "i" }] }, "only the builder image's own program"],
        [{ volumes: [{ name: "v", secret: { secretName: "s" } }] }, "mount only the cache"],
        [{ volumes: [{ name: "v", projected: { sources: [{ secret: { name: "s" } }] } }] }, "mount only the cache"],
        [{ containers: [{ ...own, envFrom: [{ secretRef: { name: "s" } }] }] }, "only the builder image's own program"],
        [
          { containers: [{ ...own, env: [{ name: "E", valueFrom: { secretKeyRef: { name: "s", key: "k" } } }] }] },
          "only the builder image's own program"
        ],
        [{ containers: [{ ...own, command: ["sh"] }] }, "only the builder image's own program"],
        [{ containers: [{ ...own, lifecycle: { preStop: hook } }] }, "without hooks"],
        [{ containers: [{ ...own, lifecycle: { postStart: hook } }] }, "without hooks"],
        [{ containers: [{ ...own, livenessProbe: hook }] }, "without hooks"],
        [{ containers: [{ ...own, readinessProbe: hook }] }, "without hooks"],
        [{ containers: [{ ...own, startupProbe: hook }] }, "without hooks"],
        [{ containers: [{ ...own, ...mounted("/app") }], ...empty }, "nothing over"],
        [{ containers: [{ ...own, ...mounted("/nix/../app") }], ...empty }, "nothing over"],
        [{ containers: [{ ...own, ...adding("NET_RAW") }] }, "only the capabilities"],
        [{ volumes: [{ name: "v", persistentVolumeClaim: { claimName: "data" } }] }, "only the claims of caches"],
        [{ containers: [{ ...own, args: ["/app/import.js"] }] }, "build Jobs may only build"],
        [{ serviceAccountName: "somebody" }, "must not name a ServiceAccount"]
      ] as const) {
        assert.include(yield* create(job(here, spec)), message)
      }
      assert.strictEqual(yield* create(job(here, { containers: [{ ...own, ...mounted("/nix") }], ...empty })), "")
      const importing = container("enbi-system")
      for (const name of ["NODE_OPTIONS", "LD_PRELOAD", "PATH"]) {
        const spec = { containers: [{ ...importing, env: [{ name, value: "/nix/x" }] }] }
        assert.include(yield* create(job(system, spec)), "only the variables", name)
      }
      assert.include(
        yield* create(job(system, { containers: [{ ...importing, ...adding("CHOWN") }] })),
        "only the capabilities CHOWN"
      )
      yield* apply({ ...job(here, {}, {}), metadata: { namespace: ns, name: "not-ours" } })
      assert.strictEqual(
        yield* kubectl("delete", "job", "-n", ns, "not-ours", ...as).pipe(Effect.orElseSucceed(() => "refused")),
        "refused"
      )
      assert.include(yield* create(job(here, mounting("/var/lib/enbi/x"))), "from the node")
      for (const path of ["/", "/etc", "/run", "/var/lib/enbi-other", "/var/lib/enbi/../../etc"]) {
        assert.notStrictEqual(yield* create(job(system, mounting(path))), "", path)
      }
      assert.include(yield* create(job(here, { automountServiceAccountToken: true })), "must not have a token")
      assert.include(yield* create(job(here, { hostNetwork: true })), "a namespace of the node")
      const privileged = { containers: [{ ...own, securityContext: { privileged: true } }] }
      assert.include(yield* create(job(here, privileged)), "must not be privileged")
    }).pipe(Effect.provide(services))
  )

  it.live("publish Jobs: their own account with a token for the image registry, and a cache to read", () =>
    Effect.gen(function* () {
      const ns = yield* makeNamespace("policies-publish")
      const here = { namespace: ns, name: "p" }
      const system = { namespace: "enbi-system", name: "policy-test-publish" }
      const create = (object: object) => refusalOf(object, "create", theirDryRun)
      const importing = container("enbi-system")
      const publishing = { ...importing, args: ["/app/publish.js"] }
      const source = (audience?: string, path = "token") => ({
        serviceAccountToken: { path, ...(audience === undefined ? {} : { audience }) }
      })
      const projecting = (...sources: ReadonlyArray<object>) => ({ volumes: [{ name: "v", projected: { sources } }] })
      const ours = source("enbi-image-registry")
      const spec = { serviceAccountName: "enbi-publish", containers: [publishing], ...projecting(ours) }
      assert.strictEqual(yield* create(job(system, spec)), "")
      const mounted = (readOnly: boolean) => ({
        containers: [{ ...publishing, volumeMounts: [{ name: "v", mountPath: "/nix", readOnly }] }],
        ...mounting("/var/lib/enbi/x")
      })
      assert.strictEqual(yield* create(job(system, { ...spec, ...mounted(true) })), "")
      assert.strictEqual(yield* asked("importer", job(system, spec)), "")
      assert.include(yield* asked("job-launcher", job(system, spec)), "only importer may create")
      const noAccount = "must not name a ServiceAccount, except publish Jobs"
      const noToken = "a token for the image registry, and nothing else"
      const onlyCaches = "only caches from the node, and nothing that they could write"
      for (const [object, message] of [
        [job(system, { containers: [publishing] }), noAccount],
        [job(system, { ...spec, serviceAccountName: "default" }), noAccount],
        [job(system, { ...spec, serviceAccountName: "job-launcher" }), noAccount],
        [job(system, { serviceAccountName: "enbi-publish" }), noAccount],
        [
          job(system, { serviceAccountName: "enbi-publish", containers: [publishing, { ...importing, name: "i" }] }),
          noAccount
        ],
        [job(here, { serviceAccountName: "enbi-publish" }), noAccount],
        [job(here, spec), "mount only the cache"],
        [job(system, projecting(ours)), "mount only the cache"],
        [job(system, { ...spec, ...projecting(source()) }), noToken],
        [job(system, { ...spec, ...projecting(source("https://kubernetes.default.svc")) }), noToken],
        [job(system, { ...spec, ...projecting(ours, { secret: { name: "s" } }) }), noToken],
        [job(system, { ...spec, ...projecting(ours, source("other", "other")) }), noToken],
        [job(system, { ...spec, ...mounting("/run/containerd/containerd.sock") }), onlyCaches],
        [job(system, { ...spec, ...mounting("/var/lib/enbi") }), onlyCaches],
        [job(system, { ...spec, ...mounted(false) }), onlyCaches],
        [job(system, { ...spec, automountServiceAccountToken: true }), "must not have a token"]
      ] as const) {
        assert.include(yield* create(object), message, JSON.stringify(object.spec.template.spec))
      }
    }).pipe(Effect.provide(services))
  )

  it.live("volumes only below /var/lib/enbi; secrets, exec and other people's objects not at all", () =>
    Effect.gen(function* () {
      const create = (object: object) => refusalOf(object, "create", theirDryRun)
      assert.strictEqual(yield* create(volume("/var/lib/enbi/uid")), "")
      assert.include(yield* create(volume("/var/lib/enbi/uid", {})), "only volumes with their label")
      for (const path of ["/", "/var/lib/other"])
        assert.include(yield* create(volume(path)), "only volumes below", path)
      for (const [verb, resource, ...more] of [
        ["list", "secrets"],
        ["get", "secrets"],
        ["create", "pods", "--subresource=exec"],
        ["patch", "nodes"],
        ["delete", "pods"],
        ["update", "deployments"],
        ["create", "namespaces"],
        ["delete", "namespaces"],
        ["delete", "leases"]
      ] as const) {
        const answer = yield* kubectl("auth", "can-i", verb, resource, ...more, "-A", ...as).pipe(
          Effect.orElseSucceed(() => "no")
        )
        assert.strictEqual(answer.trim(), "no", `${verb} ${resource}`)
      }
    }).pipe(Effect.provide(services))
  )

  it.live("NetworkPolicies: the one of build Pods, and of those alone", () =>
    Effect.gen(function* () {
      const ns = yield* makeNamespace("policies-network")
      const ours = makeEgressPolicy({ closedCidrs: ["10.0.0.0/8"], namespace: ns })
      const create = (object: object) => refusalOf(object, "create", theirDryRun)
      assert.strictEqual(yield* create(ours), "")
      const { metadata, spec } = ours
      const onlyOurs = "only NetworkPolicies enbi-build-egress with their label"
      assert.include(yield* create({ ...ours, metadata: { ...metadata, name: "other" } }), onlyOurs)
      assert.include(yield* create({ ...ours, metadata: { ...metadata, labels: {} } }), onlyOurs)
      const [managed, uid] = spec.podSelector.matchExpressions
      const onlyBuilds = "only the Pods of NixBuilds"
      for (const podSelector of [
        {},
        { matchLabels: { app: "theirs" } },
        { matchExpressions: [managed] },
        { matchExpressions: [uid] },
        { matchExpressions: [managed, { ...uid, operator: "DoesNotExist" }] },
        { matchExpressions: [uid, { ...managed, values: ["enbi-functions", "others"] }] }
      ]) {
        assert.include(
          yield* create({ ...ours, spec: { ...spec, podSelector } }),
          onlyBuilds,
          JSON.stringify(podSelector)
        )
      }
      for (const policyTypes of [["Ingress"], ["Ingress", "Egress"]]) {
        assert.include(yield* create({ ...ours, spec: { ...spec, policyTypes } }), "only limit egress")
      }
      const patch = (name: string, change: object) =>
        Effect.map(
          kubectl("patch", "networkpolicy", name, "-n", ns, "--type=merge", "-p", JSON.stringify(change), ...as),
          () => ""
        ).pipe(Effect.orElseSucceed(() => "refused"))
      const foreign = { ...ours, metadata: { name: "theirs", namespace: ns } }
      yield* apply(ours, foreign)
      assert.strictEqual(yield* patch(metadata.name, { spec: { egress: [] } }), "")
      assert.strictEqual(yield* patch(metadata.name, { metadata: { labels: null } }), "refused")
      assert.strictEqual(yield* patch(metadata.name, { spec: { podSelector: { matchExpressions: null } } }), "refused")
      assert.strictEqual(yield* patch("theirs", { spec: { egress: [{}] } }), "refused")
      assert.strictEqual(yield* patch("theirs", { metadata: { labels: managedBy } }), "refused")
      assert.include(yield* refusalOf(foreign, "delete", { as: account }), onlyOurs)
      assert.strictEqual(yield* refusalOf(ours, "delete", { as: account }), "")
    }).pipe(Effect.provide(services))
  )

  it.live("deletions: only of volumes, claims and NixBuilds of our own, and of NixBuilds that say when", () =>
    Effect.gen(function* () {
      const ns = yield* makeNamespace("policies-deletions")
      const claim = (name: string, labels: Record<string, string>) => ({
        apiVersion: "v1",
        kind: "PersistentVolumeClaim",
        metadata: { name, namespace: ns, labels },
        spec: {
          accessModes: ["ReadWriteOnce"],
          storageClassName: "",
          volumeName: "nobody-made-it",
          resources: { requests: { storage: "1Gi" } }
        }
      })
      assert.include(yield* refusalOf(claim("theirs", {}), "create", theirDryRun), "only claims with their label")
      // No node builds for it, so that nothing happens but what is tested.
      const build = (name: string, spec: { readonly ttlSecondsAfterFinished?: number }, labels = {}) => {
        const object = nixBuild({ namespace: ns, name }, { system: "s390x-linux", ...spec })
        return { ...object, metadata: { ...object.metadata, labels } }
      }
      yield* kubectl("delete", "persistentvolume", "policy-ours", "policy-theirs", "--ignore-not-found")
      const named = (name: string, labels: Record<string, string>) => {
        const object = volume("/var/lib/enbi/policies", labels)
        return { ...object, metadata: { ...object.metadata, name } }
      }
      const table = [
        [claim("theirs", {}), "only claims with their label"],
        [claim("ours", managedBy), ""],
        [named("policy-theirs", {}), "only volumes with their label"],
        [named("policy-ours", managedBy), ""],
        [build("theirs", {}), "only NixBuilds that they created or that set ttlSecondsAfterFinished"],
        [build("timed", { ttlSecondsAfterFinished: 3600 }), ""],
        [build("ours", {}, managedBy), ""]
      ] as const
      yield* apply(...table.map(([object]) => object))
      for (const [object, message] of table) {
        const refusal = yield* refusalOf(object, "delete", theirs)
        const about = `${object.kind} ${object.metadata.name}`
        if (message === "") assert.strictEqual(refusal, "", about)
        else assert.include(refusal, message, about)
      }
      yield* kubectl("delete", "persistentvolume", "policy-theirs")
    }).pipe(Effect.provide(services))
  )
})
