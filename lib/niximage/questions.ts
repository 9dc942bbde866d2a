/** What is asked about many NixImages at once, and how one of them is named. */
import { type NixImage, nixImages, wantedNameOf } from "../api/niximage.ts"
import type { Identified, Reference } from "../kubernetes/kind.ts"
import { inNamespace, question } from "../kubernetes/question.ts"

export const referToImage = ({ metadata: { name, namespace = "" } }: Identified): Reference => ({
  kind: nixImages.kind,
  namespace,
  name
})

/** All of a namespace. */
export const imagesIn = inNamespace(nixImages)

/** Those of all namespaces that want a name and tag. */
export const imagesNamed = question<NixImage, Pick<NixImage, "data" | "metadata">>({
  kind: nixImages,
  keysOf: (image) => [wantedNameOf(image)],
  keyFor: wantedNameOf,
  selectorFor: ({ data }) => ({ fields: [`data.tag=${data.tag}`] })
})

/** Those of all namespaces that have a tag. */
export const imagesTagged = question({
  kind: nixImages,
  keysOf: ({ data }) => [data.tag],
  keyFor: (tag: string) => tag,
  selectorFor: (tag) => ({ fields: [`data.tag=${tag}`] })
})
