/** Objects that tests and measurements create. */
import type { NixBuild } from "../../lib/api/nixbuild.ts"
import type { At } from "./api-server.ts"

export const flakesUrl = "http://flakes.enbi-flakes.svc.cluster.local/"

export const flakeUrl = (flake = "images") => `${flakesUrl}${flake}.tar.gz`

export const nixBuild = (at: At, spec: Partial<NixBuild["spec"]>) => ({
  apiVersion: "enbi.hrzn.ee/v1alpha1",
  kind: "NixBuild",
  metadata: at,
  spec: {
    flakeUrl: flakeUrl(),
    imageTag: `registry.invalid/${at.namespace}/${at.name}:1`,
    packageName: "hello",
    system: "x86_64-linux",
    ...spec
  }
})

export const annotations = (spec: {
  readonly flakeUrl?: string
  readonly imageTag: string
  readonly packageName: string
}) => ({
  "enbi.hrzn.ee/nixbuild-flakeUrl": spec.flakeUrl ?? flakeUrl(),
  "enbi.hrzn.ee/nixbuild-imageTag": spec.imageTag,
  "enbi.hrzn.ee/nixbuild-packageName": spec.packageName
})

export const pod = (
  at: At,
  more: { readonly annotations?: Record<string, string>; readonly container: object; readonly nodeName?: string }
) => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { ...at, annotations: more.annotations ?? {} },
  spec: {
    terminationGracePeriodSeconds: 1,
    ...(more.nodeName === undefined ? {} : { nodeName: more.nodeName }),
    containers: [{ name: "app", ...more.container }]
  }
})
