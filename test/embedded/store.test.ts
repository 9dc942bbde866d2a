/** The objects of one kind in the watch cache: an index must find what a look at all of them would. */
import { assert, it } from "@effect/vitest"
import fc from "fast-check"
import { keyOf, makeStore } from "../../lib/runtime/store.ts"
import type { Identified } from "../../lib/kubernetes/kind.ts"
import { type Pod, pods } from "../../lib/kubernetes/kinds.ts"
import { all, answers, inNamespace, labelled, type Question, question } from "../../lib/kubernetes/question.ts"

const few = fc.constantFrom("a", "b", "c")
const maybe = fc.option(few, { nil: undefined })

const objects = fc
  .record({ name: few, namespace: few, app: maybe, words: fc.uniqueArray(few, { maxLength: 2 }) })
  .map(({ app, name, namespace, words }) => ({
    metadata: {
      name,
      namespace,
      uid: `${namespace}-${name}`,
      resourceVersion: "1",
      labels: app === undefined ? {} : { app },
      annotations: { words: words.join(" ") }
    },
    spec: { containers: [] }
  }))

const wordsOf = ({ metadata }: Identified) => (metadata.annotations?.["words"] ?? "").split(" ")

const within = inNamespace(pods)
const ofApp = labelled({ kind: pods, label: "app", asked: (value: string) => ({ value }) })
const withWord = question({ kind: pods, keysOf: wordsOf, keyFor: (word: string) => word, selectorFor: () => ({}) })

const questions = fc.oneof(fc.constant(all(pods)), few.map(within), few.map(ofApp), few.map(withWord))

type Named = { readonly metadata: { readonly name: string; readonly namespace?: string } }
const keysOf = (found: ReadonlyArray<Named>) => found.map(({ metadata }) => keyOf(metadata)).toSorted()

it("gives what a look at all objects would give, whatever came, changed and went, and whenever it was asked first", () => {
  const changes = fc.tuple(objects, fc.boolean(), fc.option(questions, { nil: undefined }))
  fc.assert(
    fc.property(fc.array(changes, { maxLength: 30 }), (story) => {
      const store = makeStore(pods)
      const there = new Map<string, Pod>()
      const mustAnswer = (asked: Question<Pod>) =>
        assert.deepStrictEqual(
          keysOf(store.list(asked)),
          keysOf([...there.values()].filter((object) => answers(asked, object)))
        )
      for (const [object, isThere, asked] of story) {
        const key = keyOf(object.metadata)
        if (isThere) store.put(object)
        else store.forget(key)
        if (isThere) there.set(key, object)
        else there.delete(key)
        if (asked !== undefined) mustAnswer(asked)
      }
    })
  )
})
