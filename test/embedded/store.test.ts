/** The objects of one kind in the watch cache: an index must find what a look at all of them would. */
import { assert, it } from "@effect/vitest"
import fc from "fast-check"
import { keyOf, makeStore } from "../../embedded/store.ts"
import { controllerUidLabel } from "../../lib/keys.ts"

const few = fc.constantFrom("a", "b", "c")
const maybe = fc.option(few, { nil: undefined })

const objects = fc
  .record({ name: few, namespace: few, nodeName: maybe, controller: maybe, app: maybe })
  .map(({ app, controller, name, namespace, nodeName }) => ({
    metadata: {
      name,
      namespace,
      uid: `${namespace}-${name}`,
      resourceVersion: "1",
      labels: {
        ...(controller === undefined ? {} : { [controllerUidLabel]: controller }),
        ...(app === undefined ? {} : { app })
      }
    },
    spec: nodeName === undefined ? {} : { nodeName }
  }))

const selections = fc
  .record({ namespace: maybe, nodeName: maybe, controller: maybe, app: maybe })
  .map(({ app, controller, namespace, nodeName }) => ({
    ...(namespace === undefined ? {} : { namespace }),
    ...(nodeName === undefined ? {} : { nodeName }),
    labels: {
      ...(controller === undefined ? {} : { [controllerUidLabel]: controller }),
      ...(app === undefined ? {} : { app })
    }
  }))

type Named = { readonly metadata: { readonly name: string; readonly namespace?: string } }
const keysOf = (found: ReadonlyArray<Named>) => found.map(({ metadata }) => keyOf(metadata)).toSorted()

it("gives what a look at all objects would give, whatever came, changed and went", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(objects, fc.boolean()), { maxLength: 30 }), selections, (story, selection) => {
      const store = makeStore("Pod")
      const all = new Map<string, (typeof story)[number][0]>()
      for (const [object, isThere] of story) {
        const key = keyOf(object.metadata)
        if (isThere) store.put(object)
        else store.forget(key)
        if (isThere) all.set(key, object)
        else all.delete(key)
      }
      const wanted = Object.entries(selection.labels)
      const expected = [...all.values()].filter(
        ({ metadata, spec }) =>
          (selection.namespace === undefined || metadata.namespace === selection.namespace) &&
          (selection.nodeName === undefined || ("nodeName" in spec && spec.nodeName === selection.nodeName)) &&
          wanted.every(([key, value]) => new Map(Object.entries(metadata.labels)).get(key) === value)
      )
      assert.deepStrictEqual(keysOf(store.list(selection)), keysOf(expected))
    })
  )
})
