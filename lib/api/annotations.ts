/** Annotations and labels that users and functions write on other people's objects. */

/** On a Pod: the images that it was woken for, each with when it came; see `lib/nixbuild/waking.ts`. */
export const wokenAnnotation = "enbi.hrzn.ee/woken"
/** On a NixBuild: a new value, such as the time, starts the next attempt of what has failed. */
export const retryAnnotation = "enbi.hrzn.ee/retry"
/** On a Node: "true" keeps builds away. */
export const nodeRepelAnnotation = "enbi.hrzn.ee/node-repel"
/** On a Job and its Pod: namespace/name of the NixBuild that they are for. */
export const nixBuildAnnotation = "enbi.hrzn.ee/nixbuild"
/** On a Namespace: what its builds may reach, `public` or `open`, in place of the setting BUILD_EGRESS. */
export const buildEgressAnnotation = "enbi.hrzn.ee/build-egress"
/** On a PersistentVolumeClaim: builds of its namespace do what is set; absent: it is of a time when all was open. */
export const followsEgressAnnotation = "enbi.hrzn.ee/follows-build-egress"
/** On a build Job: everything is open to it only because its namespace's caches are old, not because of a setting. */
export const keptOpenAnnotation = "enbi.hrzn.ee/kept-open"
/** On what cannot have an owner reference because it lives in another namespace. */
export const nixBuildUidLabel = "enbi.hrzn.ee/nixbuild-uid"
/** On a PersistentVolume: the namespace whose cache it is. */
export const namespaceAnnotation = "enbi.hrzn.ee/namespace"
/** On a PersistentVolume and its claim: the node that the cache is on. */
export const nodeAnnotation = "enbi.hrzn.ee/node"
/** On a PersistentVolume: that node's uid, since a reinstalled node has lost its caches. */
export const nodeUidAnnotation = "enbi.hrzn.ee/node-uid"
/** On a PersistentVolume: its name, for its claim to select. */
export const volumeLabel = "enbi.hrzn.ee/volume"
/** On a Lease: the namespace that has the image tag: its NixBuilds say what the first image is. */
export const heldByLabel = "enbi.hrzn.ee/held-by"
/** On a Lease: that image tag, in full. */
export const heldTagAnnotation = "enbi.hrzn.ee/image-tag"
/** On a Lease: the other namespaces that use the image tag, by blanks. */
export const sharingAnnotation = "enbi.hrzn.ee/shared-with"
/** On a Lease: namespaces that have built the image and are about to bring it to a node, by blanks. */
export const joiningAnnotation = "enbi.hrzn.ee/joining"
/** On a Lease: the digests of the images that came onto nodes under the tag for a system, by blanks. */
export const digestsAnnotation = (system: string): string => `enbi.hrzn.ee/digests-${system}`
/** On a Lease: the flake and package of the first image for a system. */
export const sourceAnnotation = (system: string): string => `enbi.hrzn.ee/source-${system}`
/** On an import Job: the name of the Lease of its image tag. */
export const tagLabel = "enbi.hrzn.ee/tag"
/** On a Job that brings an image of the registry: the name under which it does. */
export const pulledAnnotation = "enbi.hrzn.ee/pulled"
/** On a Lease: since when no NixBuild and no Pod of a namespace names the image tag and no node reports the image. */
export const unusedSinceAnnotation = "enbi.hrzn.ee/unused-since"
/** On a Lease that has that: the namespaces that do not use the tag, by blanks; absent: the one that has it. */
export const unusedByAnnotation = "enbi.hrzn.ee/unused-by"
/** Of Kubernetes, on the Pod of a Job: that Job's uid. */
export const controllerUidLabel = "batch.kubernetes.io/controller-uid"
/** On an Event: the uid of the object that it is about. */
export const regardingLabel = "enbi.hrzn.ee/regarding-uid"
