/**
 * Under which names a NixImage is in the registry, and which NixImage a name is:
 *
 * | name                       | belongs to                                                     |
 * |----------------------------|----------------------------------------------------------------|
 * | <namespace>/<name>:<tag>   | that namespace, whatever others call theirs                    |
 * | <name>:<tag>               | the NixImage whose status says that its namespace holds it     |
 *
 * Where several of one namespace have the same name and tag, it is the oldest.
 */
import { type NixImage, nixImages, ownNameOf, wantedNameOf } from "../../lib/api/niximage.ts"
import { question } from "../../lib/kubernetes/question.ts"

/** A repository and a tag of it. */
export interface Name {
  readonly repository: string
  readonly tag: string
}

// A tag has no colon, and neither has a repository.
const parse = (name: string): Name => {
  const colon = name.lastIndexOf(":")
  return { repository: name.slice(0, colon), tag: name.slice(colon + 1) }
}

const isGone = ({ metadata }: NixImage): boolean => metadata.deletionTimestamp !== undefined

/** Whether its namespace holds the name that it wants, as that is now. */
const holds = (image: NixImage): boolean => image.status?.holds === wantedNameOf(image)

const isOwn = (image: NixImage, repository: string): boolean => parse(ownNameOf(image)).repository === repository

/** The names that it has in the registry; once it is being deleted it has none. */
export const namesOf = (image: NixImage): ReadonlyArray<Name> =>
  isGone(image) ? [] : [ownNameOf(image), ...(holds(image) ? [wantedNameOf(image)] : [])].map(parse)

/** Whether nobody has said yet if its namespace holds the name that it wants. */
const isNew = ({ metadata, status }: NixImage): boolean =>
  metadata.generation !== undefined && (status?.observedGeneration ?? 0) < metadata.generation

const age = ({ metadata: { creationTimestamp = "", name, namespace = "" } }: NixImage): string =>
  `${creationTimestamp} ${namespace}/${name}`

/** The NixImage that a name is: the one that has it, or else one that only asks for it so far. */
export const imageNamed = (images: ReadonlyArray<NixImage>, { repository, tag }: Name): NixImage | undefined => {
  const rank = (image: NixImage): number => {
    if (isGone(image) || image.data.tag !== tag) return 3
    if (isOwn(image, repository)) return 0
    if (parse(wantedNameOf(image)).repository !== repository) return 3
    return holds(image) ? 1 : isNew(image) ? 2 : 3
  }
  return images
    .map((image) => ({ image, key: `${rank(image)} ${age(image)}` }))
    .filter(({ key }) => !key.startsWith("3"))
    .toSorted((a, b) => (a.key < b.key ? -1 : 1))
    .at(0)?.image
}

/** Whether all that it is made of may be had by digest from this repository. */
export const isIn = (image: NixImage, repository: string): boolean =>
  namesOf(image).some((name) => name.repository === repository)

/** All NixImages that a repository may be about. */
export const about = question({
  kind: nixImages,
  keysOf: (image) => [parse(ownNameOf(image)).repository, parse(wantedNameOf(image)).repository],
  keyFor: (repository: string) => repository,
  selectorFor: () => ({})
})
