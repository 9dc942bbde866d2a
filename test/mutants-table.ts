/** Mistakes that the laws must catch, each as one text in one file that is replaced by another. */

export interface Mutant {
  readonly name: string
  readonly file: string
  /** Stands in the file exactly once. */
  readonly find: string
  readonly replace: string
}

export const mutants: ReadonlyArray<Mutant> = [
  {
    name: "a child's name is random",
    file: "lib/api/names.ts",
    find: "hash10(build.uid, node, String(attempt))",
    replace: "hash10(build.uid, node, String(Math.random()))"
  },
  {
    name: "a failed write is taken for done",
    file: "lib/runtime/interpret.ts",
    find: "yield* carryOut(action)",
    replace: "yield* Effect.ignore(carryOut(action))"
  },
  {
    name: "a write is made on what was seen, whatever is there by now",
    file: "lib/runtime/interpret.ts",
    find: "const metadata = { uid, resourceVersion }",
    replace: "const metadata = { uid }"
  },
  {
    name: "whatever has the name is ours",
    file: "lib/runtime/interpret.ts",
    find: "if (!isOurs) {",
    replace: "if (isOurs && !isOurs) {"
  },
  {
    name: "a deletion does not name the uid",
    file: "lib/kubernetes/cluster.ts",
    find: "preconditions: known,",
    replace: ""
  },
  {
    name: "what the cache does not show is gone",
    file: "functions/retention/look.ts",
    find: "const past = yield* lookPast",
    replace: "const past = look"
  },
  {
    name: "what was changed in the last moment is deleted all the same",
    file: "lib/runtime/interpret.ts",
    find: "action.ifUnchanged === true ? metadata : { uid }",
    replace: "{ uid }"
  },
  {
    name: "what is there already is an error",
    file: "lib/runtime/interpret.ts",
    find: `error.status === 409 && error.reason === "AlreadyExists"`,
    replace: "error.status === 0 && error.status !== 0"
  },
  {
    name: "a second try takes a fresh name",
    file: "lib/runtime/interpret.ts",
    find: "() => Effect.as(mustBeOurs(object), {})",
    replace:
      "() => Effect.as(cluster.create(kind, { ...object, metadata: { ...object.metadata, name: `${object.metadata.name}-again` } }), {})"
  },
  {
    name: "a write that met a newer object is not decided anew",
    file: "lib/runtime/reconcile.ts",
    find: "times: 2,",
    replace: "times: 0,"
  },
  {
    name: "waiting Pods are not woken",
    file: "functions/pod-waker/decide.ts",
    find: "!isWokenFor(pod, { build: { metadata }, importedTime })",
    replace: "false"
  },
  {
    name: "a waking that comes late is taken for one that was in time",
    file: "functions/importer-status/missed.ts",
    find: "waking?.wokenTime ?? wokenTime",
    replace: "wokenTime"
  },
  {
    name: "a Job is removed before its outcome is stored",
    file: "functions/retention/jobs/decide.ts",
    find: "nodeStatusOf(build, node)?.importedTime === undefined",
    replace: "!isSucceeded(job)"
  },
  {
    name: "a Pod that is not seen yet is gone",
    file: "lib/nixbuild/observe-work.ts",
    find: "(yield* cluster.listFresh(podsOf(job)))[0]",
    replace: "seen"
  },
  {
    name: "a Job is told of by whichever Pod has its name",
    file: "lib/nixbuild/object-questions.ts",
    find: "label: controllerUidLabel, asked: ofJob",
    replace: `label: "batch.kubernetes.io/job-name", asked: ({ metadata }: Job) => ({ ...ofJob({ metadata }), value: metadata.name })`
  },
  {
    name: "slots have no end",
    file: "functions/scheduler/decide.ts",
    find: ".filter((node) => loadOf(load, node) < maxBuildsPerNode)",
    replace: ""
  },
  {
    name: "a NixBuild counts on a claim that could not be written",
    file: "functions/scheduler/function.ts",
    find: "restsOn: claimsUnder",
    replace: "restsOn: () => () => []"
  },
  {
    name: "a queue is told anew with each that ends",
    file: "functions/scheduler/waits.ts",
    find: "return before <= told ? told : before * 2",
    replace: "return before"
  },
  {
    name: "whoever waits tries at once",
    file: "functions/scheduler/queues.ts",
    find: "return isTried ? node : undefined",
    replace: "return undefined"
  },
  {
    name: "an attempt that is called off keeps its number",
    file: "lib/nixbuild/slots.ts",
    find: "attempt: attemptOn(build, node) + 1,",
    replace: "attempt: attemptOn(build, node),"
  },
  {
    name: "a second node is not written down",
    file: "functions/pod-failure-detector/follow.ts",
    find: "[addNode(build, nodeName)]",
    replace: "[]"
  },
  {
    name: "what was refused once is not tried again",
    file: "functions/pod-failure-detector/decide.ts",
    find: "refusals.find(({ name }) => name === request.name)",
    replace: `refusals.find(({ name }) => name === request.name) ?? (world.said.some(({ reason }) => reason === "NixBuildRefused") ? { message: "" } : undefined)`
  },
  {
    name: "a NixBuild that goes makes no room",
    file: "functions/pod-failure-detector/observe.ts",
    find: "Option.isNone(build) || isWaitingFor",
    replace: "Option.isSome(build) && isWaitingFor"
  },
  {
    name: "a NixBuild that a person deleted is made again at once",
    file: "functions/pod-failure-detector/decide.ts",
    find: "const graceSeconds = 90",
    replace: "const graceSeconds = 0"
  },
  {
    name: "of two images that come in one second one wakes the Pod",
    file: "lib/nixbuild/waking.ts",
    find: "isOf(build, waking) && waking.importedTime === importedTime",
    replace: "waking.importedTime === importedTime"
  },
  {
    name: "two images of one Pod take each other's word back",
    file: "lib/nixbuild/waking.ts",
    find: "return [...others, {",
    replace: "return [{"
  },
  {
    name: "a sweep looks at nothing",
    file: "lib/nixbuild/map-event.ts",
    find: ".filter(needsLook)",
    replace: ".filter(() => false)"
  },
  {
    name: "conditions keep speaking of an older generation",
    file: "lib/runtime/status-writer.ts",
    find: "({ ...condition, observedGeneration }))",
    replace: "({ ...condition }))"
  },
  {
    name: "a condition's time moves with every write",
    file: "lib/kubernetes/condition.ts",
    find: "before?.status === update.status ? before.lastTransitionTime : time",
    replace: "time"
  },
  {
    name: "an older event overwrites what the cache has",
    file: "lib/runtime/watch-cache.ts",
    find: " || (before !== undefined && isOlder(metadata, before))",
    replace: ""
  },
  {
    name: "what we create is not in the cache before the watch tells",
    file: "lib/runtime/watch-cache.ts",
    find: 'writes.create(kind, object).pipe(Effect.tap(keep(kind, "add")))',
    replace: "writes.create(kind, object)"
  },
  {
    name: "what a list does not hold stays in the cache",
    file: "lib/runtime/watch-cache.ts",
    find: "        store.forget(keyOf(metadata))\n",
    replace: ""
  },
  {
    name: "the end of an old object takes the new one of its name from the cache",
    file: "lib/runtime/watch-cache.ts",
    find: "if (store.get(keyOf(metadata))?.metadata.uid === metadata.uid) store",
    replace: "store"
  },
  {
    name: "each node asks the forge itself",
    file: "lib/nixbuild/source.ts",
    find: "sourceOf(build) === undefined && node !== build.status?.buildNode",
    replace: "sourceOf(build) === undefined && node === undefined"
  },
  {
    name: "a failed attempt tells nothing of its source",
    file: "functions/importer-status/locked.ts",
    find: "if (reported === undefined || ",
    replace: 'if (reported === undefined || work?.pod?.status?.phase === "Failed" || '
  },
  {
    name: "a retry keeps the source of the failure",
    file: "functions/importer-status/retry.ts",
    find: "...(isAnew ? { lockedUrl: null, lockedInputs: null } : {}),",
    replace: ""
  },
  {
    name: "the namespace that has a tag is not held to the image that another uses too",
    file: "functions/importer/tag.ts",
    find: "users.some((user) => user !== namespace)",
    replace: "users.length < 0"
  },
  {
    name: "nobody waits for what the tag's namespace has begun to bring",
    file: "functions/importer/observe-claim.ts",
    find: "holder === build.metadata.namespace ? false : yield* isMoving({ build, holder })",
    replace: "false && (yield* isMoving({ build, holder }))"
  },
  {
    name: "the claim does not say which image came under the tag",
    file: "functions/importer-status/decide.ts",
    find: "lease === undefined || digests.length === 0 ?",
    replace: "true || lease === undefined ?"
  },
  {
    name: "whose import was refused still counts as one who uses the tag",
    file: "functions/retention/tags/observe.ts",
    find: ".some(({ build }) => mayImport(build, there))",
    replace: ".some(() => true)"
  },
  {
    name: "Ready comes with the end only",
    file: "lib/nixbuild/status.ts",
    find: "conditions: [readinessOf({ ...build.status, ...fields, conditions })],",
    replace: "conditions: [],"
  },
  {
    name: "our policy of builds stands beside somebody else's",
    file: "functions/job-launcher/egress.ts",
    find: "if (others.length > 0) {",
    replace: "if (others.length > 999) {"
  },
  {
    name: "a former version's caches do not keep builds open",
    file: "functions/job-launcher/egress.ts",
    find: `(isOfOldCaches ? "open" : settings.buildEgress)`,
    replace: "settings.buildEgress"
  },
  {
    name: "a policy of builds that somebody changed stays so",
    file: "functions/job-launcher/egress.ts",
    find: "Equal.equals(ours.spec, spec)",
    replace: "ours !== undefined"
  },
  {
    name: "a word that means nothing opens builds",
    file: "functions/job-launcher/egress.ts",
    find: "asked !== undefined && !isBuildEgress(asked)",
    replace: `asked === "nothing"`
  },
  {
    name: "what the cache does not know yet was deleted",
    file: "functions/pod-failure-detector/observe.ts",
    find: "known ? getConfirmed(nixBuilds, at) : cluster.get(nixBuilds, at)",
    replace: "cluster.get(nixBuilds, at)"
  }
]
