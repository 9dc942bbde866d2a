/** A server of admission webhooks in the cluster, and what makes the API server ask it about one namespace. */
import { Effect, FileSystem, Option } from "effect"
import { pods } from "../../lib/kubernetes/kinds.ts"
import { output } from "../../tools/command.ts"
import { apply, refusalOf, remove } from "./api-server.ts"
import { pod } from "./objects.ts"
import { builderImage } from "./cluster.ts"
import { becomes, eventually, makeNamespace, when } from "./waits.ts"

const ns = "webhooks"

const certificate = Effect.gen(function* () {
  const files = yield* FileSystem.FileSystem
  const directory = yield* files.makeTempDirectoryScoped()
  const subject = `hook.${ns}.svc`
  const options = `-x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=${subject} -addext subjectAltName=DNS:${subject}`
  const paths = ["-keyout", `${directory}/key`, "-out", `${directory}/crt`]
  yield* output({ command: "openssl", args: ["req", ...options.split(" "), ...paths] })
  const read = (name: string) => Effect.map(files.readFileString(`${directory}/${name}`), (text) => btoa(text))
  return { certificate: yield* read("crt"), key: yield* read("key") }
}).pipe(Effect.scoped)

/** Serves them until the namespace is removed; gives what a webhook needs to be believed. */
export const serveWebhooks = Effect.gen(function* () {
  const files = yield* FileSystem.FileSystem
  const { certificate: ca, key } = yield* certificate
  const metadata = { name: "hook", namespace: yield* makeNamespace(ns) }
  yield* apply(
    {
      apiVersion: "v1",
      kind: "Secret",
      type: "kubernetes.io/tls",
      metadata,
      data: { "tls.crt": ca, "tls.key": key }
    },
    {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata,
      data: { "webhook.cjs": yield* files.readFileString("test/cluster/webhook.cjs") }
    },
    {
      apiVersion: "v1",
      kind: "Service",
      metadata,
      spec: { selector: { app: "hook" }, ports: [{ port: 443, targetPort: 8443 }] }
    },
    {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { ...metadata, labels: { app: "hook" } },
      spec: {
        terminationGracePeriodSeconds: 1,
        containers: [
          {
            name: "hook",
            image: builderImage,
            command: ["node", "/hook/webhook.cjs"],
            readinessProbe: { tcpSocket: { port: 8443 }, periodSeconds: 1 },
            volumeMounts: [
              { name: "tls", mountPath: "/tls" },
              { name: "hook", mountPath: "/hook" }
            ]
          }
        ],
        volumes: [
          { name: "tls", secret: { secretName: "hook" } },
          { name: "hook", configMap: { name: "hook" } }
        ]
      }
    }
  )
  yield* becomes(
    "the webhooks answer",
    pods,
    metadata,
    Option.filter(
      ({ status }) => status?.conditions?.some((one) => one.type === "Ready" && one.status === "True") === true
    )
  )
  return ca
})

/** The way of a Service to a Pod that is Ready takes a moment more. */
const untilAsked = (about: string) =>
  eventually(
    "the API server reaches the webhook",
    Effect.map(
      refusalOf(pod({ namespace: about, name: "any" }, { container: { image: builderImage } }), "create", {
        dryRun: true
      }),
      (refusal) => when(refusal, !refusal.includes("failed calling webhook"))
    )
  )

const kindOf = { "/limits": "ValidatingWebhookConfiguration", "/sidecar": "MutatingWebhookConfiguration" } as const

const admission = { apiVersion: "admissionregistration.k8s.io/v1" }

/** Asks the webhook at `path` about the Pods of `about` while `self` runs. */
export const withWebhook =
  ({ about, ca, path }: { readonly about: string; readonly ca: string; readonly path: keyof typeof kindOf }) =>
  <A, E, R>(self: (end: ReturnType<typeof remove>) => Effect.Effect<A, E, R>) => {
    const at = { name: `enbi-test-${about}`, namespace: "" }
    const end = remove({ ...admission, kind: kindOf[path] }, at)
    return apply({
      ...admission,
      kind: kindOf[path],
      metadata: { name: at.name, labels: { "enbi.hrzn.ee/test": "" } },
      webhooks: [
        {
          name: "hook.test.invalid",
          admissionReviewVersions: ["v1"],
          sideEffects: "None",
          failurePolicy: "Fail",
          namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": about } },
          clientConfig: { caBundle: ca, service: { namespace: ns, name: "hook", path } },
          rules: [{ apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["pods"] }]
        }
      ]
    }).pipe(Effect.andThen(untilAsked(about)), Effect.andThen(self(end)), Effect.ensuring(Effect.ignore(end)))
  }
