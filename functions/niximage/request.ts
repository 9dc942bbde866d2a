/**
 * The NixBuild that a NixImage asks for, one for each system. Its name is
 * computed from what is asked, so equal requests of a namespace share one: the
 * first lock of the package set is everyone's.
 */
import type { KubernetesObject } from "../../lib/kubernetes/kind.ts"
import { managedBy } from "../../lib/kubernetes/kinds.ts"
import { retryAnnotation } from "../../lib/api/annotations.ts"
import { nixBuilds, type System } from "../../lib/api/nixbuild.ts"
import { type NixImage, nixImages } from "../../lib/api/niximage.ts"
import { hash10 } from "../../lib/hash.ts"
import { requestOf } from "../../lib/niximage/request.ts"

// Another number when what every image has changes, since an image of before lacks it.
const recipe = "1"

export interface BuildSettings {
  readonly imageRegistry: string
  readonly packageSet: string
}

export const packageSetOf = ({ data }: NixImage, { packageSet }: BuildSettings): string => data.packages ?? packageSet

export const buildNameOf = (image: NixImage, system: System, settings: BuildSettings): string => {
  const { config = {}, contents, ...rest } = requestOf(image)
  const others = [config, rest].map((one) =>
    JSON.stringify(Object.entries(one).toSorted(([a], [b]) => (a < b ? -1 : 1)))
  )
  // A retry that a person asks for is another build: with the package set of now, for all that ask for it.
  const retry = image.metadata.annotations?.[retryAnnotation] ?? ""
  return `image-${hash10(recipe, system, packageSetOf(image, settings), retry, ...others, ...contents)}`
}

export const makeImageBuild = (image: NixImage, system: System, settings: BuildSettings): KubernetesObject => {
  const { name, namespace, uid } = image.metadata
  const build = buildNameOf(image, system, settings)
  return {
    apiVersion: nixBuilds.apiVersion,
    kind: nixBuilds.kind,
    metadata: {
      name: build,
      namespace,
      labels: managedBy,
      // Of those that share it the first: when that is gone, the next makes it again.
      ownerReferences: [{ apiVersion: nixImages.apiVersion, kind: nixImages.kind, name, uid, controller: true }]
    },
    spec: {
      flakeUrl: packageSetOf(image, settings),
      image: requestOf(image),
      system,
      // A name of its own, which is served too: the NixImage's name may be another's, or change.
      imageTag: `${settings.imageRegistry}/${namespace}/${build}:${system}`,
      delivery: "Registry"
    }
  }
}
