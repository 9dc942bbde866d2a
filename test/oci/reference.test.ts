import { assert, describe, it } from "@effect/vitest"
import { Option } from "effect"
import { normalizeReference, parseReference } from "../../lib/oci/reference.ts"

const digest = `sha256:${"a".repeat(64)}`

// text, the name as containerd stores it ("" for none), why
const rows: ReadonlyArray<readonly [string, string, string]> = [
  ["x", "docker.io/library/x:latest", "no tag is latest"],
  ["x:1", "docker.io/library/x:1", "one part is in library"],
  ["a/b:1", "docker.io/a/b:1", "a first part without dot or colon is no domain"],
  ["docker.io/x:1", "docker.io/library/x:1", "the domain may be said"],
  ["index.docker.io/x:1", "docker.io/library/x:1", "Docker's old domain"],
  ["localhost/x:1", "localhost/x:1", "localhost is a domain"],
  ["localhost:5000/x", "localhost:5000/x:latest", "a port is no tag"],
  ["example.org/a/b/c:v1.2-3_4", "example.org/a/b/c:v1.2-3_4", "tags have dots, dashes, underscores"],
  ["Host/x:1", "Host/x:1", "upper case makes the first part a domain"],
  ["[::1]:5000/x:1", "[::1]:5000/x:1", "IPv6"],
  [`x@${digest}`, `docker.io/library/x@${digest}`, "a digest needs no tag"],
  [`x:1@${digest}`, `docker.io/library/x:1@${digest}`, "both"],
  ["a--b/c__d.e:1", "docker.io/a--b/c__d.e:1", "separators"],
  [`x:${"t".repeat(128)}`, `docker.io/library/x:${"t".repeat(128)}`, "128 is the longest tag"],
  [`x:${"t".repeat(129)}`, "", "129 is too long"],
  ["a".repeat(64), "", "64 hex digits are an id"],
  ["b/" + "a".repeat(300), "", "255 is the longest name"],
  ["", "", "nothing"],
  ["X:1", "", "upper case in the path"],
  ["a/B:1", "", "upper case in the path"],
  ["a//b", "", "an empty part"],
  ["/a", "", "an empty domain"],
  ["a/", "", "an empty end"],
  ["x:", "", "an empty tag"],
  ["x:-1", "", "a tag starts with a word character"],
  ["x:1:2", "", "two tags"],
  ["x@sha256:abc", "", "a short digest"],
  ["x@", "", "no digest"],
  ["a_.b/c", "", "two kinds of separators together"],
  ["-a/b", "", "a part starts with a letter or digit"],
  ["../x:1", "", "no path"],
  ["example.org/../x:1", "", "no path"],
  ["x:1\n", "", "a line break"],
  ["x 1", "", "a blank"],
  ["https://example.org/x", "", "a URL"],
  ["-example.org/x", "", "a label starts with a letter or digit"],
  ["exämple.org/x", "", "ASCII only"]
]

describe("normalizeReference", () => {
  for (const [text, expected, why] of rows) {
    it(`${JSON.stringify(text.slice(0, 40))}: ${why}`, () => {
      assert.strictEqual(
        Option.getOrElse(normalizeReference(text), () => ""),
        expected
      )
    })
  }

  it("a name in full is its own", () => {
    for (const [, expected] of rows.filter(([, text]) => text !== "")) {
      assert.deepStrictEqual(normalizeReference(expected), Option.some(expected))
    }
  })

  it("knows the domain", () => {
    assert.strictEqual(Option.getOrThrow(parseReference("h.org:5000/a:1")).domain, "h.org:5000")
    assert.strictEqual(Option.getOrThrow(parseReference("a:1")).domain, "docker.io")
  })
})
