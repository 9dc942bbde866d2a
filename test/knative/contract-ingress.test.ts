/** What the Broker answers its senders, against the captured table. */
import { assert, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { comparableAnswer, readCapture, Sent } from "./captures.ts"
import { makeBackend, send } from "./contract-backend.ts"

const Case = Schema.Struct({ ...Sent.fields, case: Schema.String })

const whole = (body: string | undefined) =>
  body?.replace(/<(\d+) times x>/, (_, count: string) => "x".repeat(Number(count)))

for (const row of readCapture("b-ingress", Case)) {
  it.live(`${row.case}: ${row.answer.status}`, () =>
    Effect.gen(function* () {
      const { url } = yield* makeBackend()
      const told = yield* send(url, { ...row, body: whole(row.body) })
      assert.deepStrictEqual(comparableAnswer(told), comparableAnswer(row.answer))
      assert.strictEqual(told.body, "")
    })
  )
}
