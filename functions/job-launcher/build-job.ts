/**
 * The Job that builds: untrusted code, so its Pod has no token, no host mount
 * but its namespace's cache, no capability and no root. What Nix's own sandbox
 * needs on top (a user namespace, an unmasked /proc, no seccomp filter) makes
 * it a Pod that only namespaces of level privileged admit; without the sandbox
 * the Restricted level admits it.
 */
import type { V1Job, V1PodTemplateSpec } from "@kubernetes/client-node"
import { manifest } from "../../lib/kubernetes/manifest.ts"
import { attemptOn, nixBuilds, type NixBuild } from "../../lib/api/nixbuild.ts"
import type { EgressStep } from "./egress.ts"
import { belongingTo, onNode, plainPod, podBelongingTo } from "../../lib/nixbuild/job.ts"
import { keptOpenAnnotation } from "../../lib/api/annotations.ts"
import { claimName, jobName } from "../../lib/api/names.ts"
import { buildVariables, cacheAt, mountPaths, programPath, programs } from "../../lib/nixbuild/job-contract.ts"
import { sourceVariables } from "./source.ts"
import type { LauncherSettings } from "./settings.ts"

export interface BuildPlace {
  readonly build: NixBuild
  readonly node: string
  readonly settings: LauncherSettings
  /**
   * The NixBuilds of the namespace, this one among them, at `liveTime`: what the cache keeps for others may go. As
   * `writeFilter` writes it; empty: not known.
   */
  readonly liveFilter: string
  readonly liveTime: string
  /** Absent: for a dry run. */
  readonly egress?: EgressStep
}

export const makeBuildJob = (place: BuildPlace) => {
  const { build, egress, node } = place
  const { name, namespace, uid } = build.metadata
  const { annotations, labels } = belongingTo(build)
  return manifest<V1Job>()({
    apiVersion: "batch/v1",
    kind: "Job" as const,
    metadata: {
      name: jobName("build", { build: build.metadata, node, attempt: attemptOn(build, node) }),
      namespace,
      labels,
      annotations: { ...annotations, ...(egress?.isKeptOpen === undefined ? {} : { [keptOpenAnnotation]: "true" }) },
      ownerReferences: [
        {
          apiVersion: nixBuilds.apiVersion,
          kind: nixBuilds.kind,
          name,
          uid,
          controller: true,
          blockOwnerDeletion: true
        }
      ]
    },
    // Without a deadline: a Job's counts from its creation, and what waits outside our container is no build.
    spec: {
      backoffLimit: 0,
      template: makeBuildPod(place)
    }
  })
}

export const makeBuildPod = (place: BuildPlace) => {
  const { build, node, settings } = place
  return manifest<V1PodTemplateSpec>()({
    metadata: podBelongingTo(build),
    spec: {
      ...onNode(node),
      ...plainPod,
      ...(build.spec.sandbox ? { hostUsers: false } : {}),
      securityContext: {
        runAsNonRoot: true,
        runAsUser: 1000,
        runAsGroup: 1000,
        seccompProfile: { type: build.spec.sandbox ? "Unconfined" : "RuntimeDefault" }
      },
      containers: [
        {
          name: programs.build,
          image: settings.builderImage,
          args: [programPath(programs.build)],
          env: environment(place),
          ...(build.spec.resources === undefined ? {} : { resources: build.spec.resources }),
          securityContext: {
            allowPrivilegeEscalation: false,
            capabilities: { drop: ["ALL"] },
            ...(build.spec.sandbox ? { procMount: "Unmasked", appArmorProfile: { type: "Unconfined" } } : {})
          },
          volumeMounts: [
            { name: "cache", mountPath: mountPaths.cache },
            { name: "tmp", mountPath: mountPaths.temporary }
          ]
        }
      ],
      volumes: [
        { name: "cache", persistentVolumeClaim: { claimName: claimName(node) } },
        { name: "tmp", emptyDir: {} }
      ]
    }
  })
}

const environment = (place: BuildPlace) =>
  variablesOf(place).map(({ name, value }) => ({ name, value: unexpanded(value) }))

// Kubernetes, "Define Dependent Environment Variables": $(NAME) means another variable, and $$ is $. What a person
// writes, as the command of an image, is to arrive as it is.
const unexpanded = (value: string): string => value.replaceAll("$", "$$$$")

const variablesOf = ({ build, egress, liveFilter, liveTime, settings }: BuildPlace) => [
  { name: buildVariables.flakeUrl, value: build.spec.flakeUrl },
  ...sourceVariables(build),
  ...variables({
    [buildVariables.packageName]: build.spec.packageName,
    [buildVariables.image]: build.spec.image === undefined ? undefined : JSON.stringify(build.spec.image)
  }),
  { name: buildVariables.system, value: build.spec.system },
  { name: buildVariables.uid, value: build.metadata.uid },
  { name: buildVariables.timeoutSeconds, value: String(build.spec.timeoutSeconds) },
  { name: buildVariables.sandbox, value: String(build.spec.sandbox) },
  { name: buildVariables.cacheLimitBytes, value: String(settings.cacheLimitBytes) },
  { name: buildVariables.liveFilter, value: liveFilter },
  { name: buildVariables.liveTime, value: liveTime },
  { name: buildVariables.home, value: cacheAt(mountPaths.cache).home },
  ...variables({
    [buildVariables.closedCidrs]: egress?.closedCidrs?.join(" "),
    [buildVariables.caCertificates]: settings.caCertificates,
    // Programs differ in which of the two they read.
    [buildVariables.httpProxy]: settings.httpProxy,
    HTTP_PROXY: settings.httpProxy,
    [buildVariables.httpsProxy]: settings.httpsProxy,
    HTTPS_PROXY: settings.httpsProxy,
    [buildVariables.noProxy]: settings.noProxy,
    NO_PROXY: settings.noProxy
  }),
  {
    name: buildVariables.nixConfig,
    value: [
      `substituters = ${settings.substituters.join(" ")}`,
      `trusted-public-keys = ${settings.trustedPublicKeys.join(" ")}`
    ].join("\n")
  }
]

const variables = (values: Readonly<Record<string, string | undefined>>) =>
  Object.entries(values).flatMap(([name, value = ""]) => (value === "" ? [] : [{ name, value }]))
