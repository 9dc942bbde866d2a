/** Images that differ in their configuration. */
import { docker } from "./make.ts"
import { row, type Row } from "./row.ts"

const top = (fields: object) => docker({ document: (all) => ({ ...all, ...fields }) })
const config = (fields: object) =>
  docker({ document: (all) => ({ ...all, config: { Cmd: ["/bin/busybox"], ...fields } }) })
const text = (change: (text: string) => string | Uint8Array) => docker({ text: change })
const inConfig = (members: string) => text((all) => all.replace('"config":{', `"config":{${members},`))

const nothing = Object.fromEntries(
  [
    "User",
    "ExposedPorts",
    "Env",
    "Entrypoint",
    "Cmd",
    "Volumes",
    "WorkingDir",
    "Labels",
    "StopSignal",
    "Healthcheck"
  ].map((field) => [field, null])
)

const history = (fields: object) => top({ history: [fields, { created: "2024-02-29T12:00:00Z", empty_layer: true }] })

export const configurations: ReadonlyArray<Row> = [
  row("a plain docker-archive", docker()),
  row("all fields of config null", config(nothing)),
  row("config null", top({ config: null })),
  row(
    "created, history, variant and os.features null",
    top({ created: null, history: null, variant: null, "os.features": null })
  ),
  row(
    "no config at all",
    text((all) => all.replace(/"config":\{[^}]*\},/u, ""))
  ),
  row("null among the variables and arguments", config({ Env: [null, "A=1"], Entrypoint: ["/bin/busybox", null] })),
  row("null among the history", top({ history: [null, {}] })),
  row("null as a label", config({ Labels: { a: null } })),
  row("null as a port", config({ ExposedPorts: { "80/tcp": null } })),
  row("ExposedPorts as a list", config({ ExposedPorts: ["8080/tcp"] }), {
    names: /config\.ExposedPorts .*\{"8080\/tcp": \{\}\}/u
  }),
  row("ExposedPorts with true", config({ ExposedPorts: { "8080/tcp": true } }), { names: /config\.ExposedPorts/u }),
  row("ExposedPorts with an object that holds something", config({ ExposedPorts: { "8080/tcp": { HostPort: "80" } } })),
  row("ExposedPorts as a number", config({ ExposedPorts: 8080 }), { names: /config\.ExposedPorts/u }),
  row("Volumes as a list", config({ Volumes: ["/data"] }), { names: /config\.Volumes .*\{"\/data": \{\}\}/u }),
  row("Volumes with a text", config({ Volumes: { "/data": "" } }), { names: /config\.Volumes/u }),
  row("Labels as a list", config({ Labels: ["a=b"] }), { names: /config\.Labels/u }),
  row("a number as a label", config({ Labels: { version: 3 } }), { names: /config\.Labels\["version"\]/u }),
  row("Env as an object", config({ Env: { A: "1" } }), { names: /config\.Env .*\["NAME=value"\]/u }),
  row("Env as a text", config({ Env: "A=1" }), { names: /config\.Env/u }),
  row("a number among the variables", config({ Env: ["A=1", 2] }), { names: /config\.Env\[1\]/u }),
  row("a variable without =", config({ Env: ["A", "=B", ""] })),
  row("Cmd as a text", config({ Cmd: "/bin/busybox" }), { names: /config\.Cmd/u }),
  row("Entrypoint as a text", config({ Entrypoint: "/bin/busybox" }), { names: /config\.Entrypoint/u }),
  row("a number as StopSignal", config({ StopSignal: 15 }), { names: /config\.StopSignal .*"SIGTERM"/u }),
  row("StopSignal by number, as a text", config({ StopSignal: "15" })),
  row("a number as User", config({ User: 1000 }), { names: /config\.User .*"1000"/u }),
  row("a list as WorkingDir", config({ WorkingDir: ["/srv"] }), { names: /config\.WorkingDir/u }),
  row("WorkingDir empty", config({ WorkingDir: "" })),
  row("WorkingDir by a detour", config({ WorkingDir: "/srv/../app/./" })),
  row("ArgsEscaped as a text", config({ ArgsEscaped: "true" }), { names: /config\.ArgsEscaped/u }),
  row(
    "Healthcheck, Shell, OnBuild and other fields of Docker's, of any type",
    config({
      Healthcheck: { Test: ["NONE"], Interval: 1e9 },
      Shell: "sh",
      OnBuild: 7,
      Hostname: 1,
      Memory: "lots"
    })
  ),
  row("fields that nobody knows", top({ container_config: { Env: 7 }, docker_version: 1, id: null, parent: [] })),
  ...[
    "app",
    "app:app",
    "1000",
    "1000:",
    ":1000",
    "0:0",
    "2147483647",
    "www-data:www-data",
    "Über User",
    "a@b.c",
    "1user",
    "0000000000001"
  ].map((User) => row(`the user ${User}`, config({ User }))),
  ...["2147483648", "4294967296", "-1", "1:2:3", "9".repeat(30), "app:4294967296"].map((User) =>
    row(`the user ${User}`, config({ User }), { names: /the user/u })
  ),
  row("created as a word", top({ created: "now" }), { names: /created .*"1970-01-01T00:00:01Z"/u }),
  row("created as nothing", top({ created: "" }), { names: /created/u }),
  row("created as a number", top({ created: 0 }), { names: /created/u }),
  ...[
    "1970-01-01T00:00:01Z",
    "2024-02-29T23:59:59.123456789Z",
    "2024-01-01T00:00:00+01:00",
    "0001-01-01T00:00:00Z",
    "2024-01-01T1:00:00Z",
    "2024-01-01T00:00:00,5Z"
  ].map((created) => row(`created ${created}`, top({ created }))),
  ...[
    "2023-02-29T00:00:00Z",
    "2024-01-01",
    "2024-01-01 00:00:00Z",
    "2024-01-01T00:00:00",
    "2024-01-01t00:00:00z",
    "2024-01-01T24:00:00Z",
    "2024-01-01T00:00:60Z",
    "2024-01-01T00:00:00+0100",
    "2024-13-01T00:00:00Z",
    "1700000000"
  ].map((created) => row(`created ${created}`, top({ created }), { names: /created/u })),
  row("a history as usual", history({ created: "2024-01-01T00:00:00Z", created_by: "sh", comment: "", author: "me" })),
  row("a history that says when in words", history({ created: "yesterday" }), { names: /history\[0\]\.created/u }),
  row("a history with empty_layer as a text", history({ empty_layer: "true" }), {
    names: /history\[0\]\.empty_layer/u
  }),
  row("a history that is an object", top({ history: {} }), { names: /history/u }),
  row("a number as author", top({ author: 7 }), { names: /author/u }),
  row(
    "os missing",
    text((all) => all.replace('"os":"linux",', ""))
  ),
  row("os null", top({ os: null })),
  row("os in capitals", top({ os: "Linux" })),
  row("os is windows", top({ os: "windows" }), { names: /windows\/amd64/u }),
  row("os.features", top({ "os.features": ["sse4"] }), { names: /features|linux\/amd64/u }),
  row("os.version", top({ "os.version": "6.1" })),
  row("a number as os", top({ os: 1 }), { names: /os is a number/u }),
  row(
    "architecture missing",
    text((all) => all.replace('"architecture":"amd64",', "")),
    { names: /architecture/u }
  ),
  row("architecture null", top({ architecture: null }), { names: /architecture/u }),
  row("architecture as uname calls it", top({ architecture: "x86_64" })),
  row("architecture in capitals", top({ architecture: "AMD64" })),
  row("another architecture", top({ architecture: "arm64" }), { names: /linux\/arm64/u }),
  row("variant v1", top({ variant: "v1" })),
  row("variant empty", top({ variant: "" })),
  row("variant v3", top({ variant: "v3" }), { names: /amd64\/v3/u }),
  row("i386 on amd64", top({ architecture: "386" }), {
    because: "the package's system, and so spec.system, is not i686-linux"
  }),
  row("arm64/v8", top({ architecture: "arm64", variant: "v8" }), { architecture: "arm64" }),
  row("aarch64", top({ architecture: "aarch64" }), { architecture: "arm64" }),
  row("arm on arm64", top({ architecture: "arm" }), {
    architecture: "arm64",
    because: "spec.system is not armv7l-linux"
  }),
  row("arm without a variant", top({ architecture: "arm" }), { architecture: "arm" }),
  row("arm/v6", top({ architecture: "arm", variant: "v6" }), { architecture: "arm" }),
  row("arm/v8 on arm", top({ architecture: "arm", variant: "8" }), { architecture: "arm", names: /arm\/v8/u }),
  row("entrypoint in small letters", inConfig('"entrypoint":["/bin/busybox"]')),
  row("exposedports in small letters, as a list", inConfig('"exposedports":["80/tcp"]'), { names: /ExposedPorts/u }),
  row("ENV with the long s in uſer", inConfig('"ENV":["A=1"],"u\u017fer":"app"')),
  row(
    "RootFS in Go's own spelling",
    text((all) => all.replace('"rootfs"', '"RootFS"').replace('"diff_ids"', '"Diff_IDs"'))
  ),
  row(
    "diff_ids as Go's field is called",
    text((all) => all.replace('"diff_ids"', '"DiffIDs"')),
    { names: /diff_ids|layers/u }
  ),
  row("diff_ids null", top({ rootfs: { type: "layers", diff_ids: null } }), { names: /diff_ids/u }),
  row("no rootfs", top({ rootfs: null }), { names: /diff_ids/u }),
  row(
    "rootfs without a type",
    text((all) => all.replace('"type":"layers",', ""))
  ),
  row(
    "rootfs of another type",
    text((all) => all.replace('"type":"layers"', '"type":"foreign"')),
    { names: /rootfs\.type/u }
  ),
  row(
    "diff ids without their algorithm",
    text((all) => all.replaceAll("sha256:", "")),
    { names: /diff id/u }
  ),
  row(
    "a byte order mark",
    text((all) => `\ufeff${all}`),
    { names: /not JSON/u }
  ),
  row(
    "white space around",
    text((all) => `\n\t ${all}\r\n`)
  ),
  row(
    "something behind it",
    text((all) => `${all}x`),
    { names: /not JSON/u }
  ),
  row(
    "a comma too many",
    text((all) => all.replace(/\}$/u, ",}")),
    { names: /ends too early|not JSON/u }
  ),
  row(
    "a comment",
    text((all) => `// image\n${all}`),
    { names: /not JSON/u }
  ),
  row(
    "a text that is no UTF-8",
    text((all) => Buffer.from(all.replace('"os"', '"author":"\u00e9","os"'), "latin1"))
  ),
  row("half a character by an escape", inConfig('"Env":["A=\\ud800"]')),
  row(
    "a list in place of it",
    text(() => "[]"),
    { names: /is a list/u }
  ),
  row(
    "null in place of it",
    text(() => "null"),
    { names: /architecture/u }
  ),
  row("a field twice", inConfig('"User":"1","User":"2"'), { because: "readers differ on which of two counts" }),
  row("a field twice in two spellings", inConfig('"User":"1","user":"2"'), {
    because: "readers differ on which of two counts"
  }),
  row("a label twice", inConfig('"Labels":{"a":"1","a":"2"}'), { because: "readers differ on which of two counts" }),
  row("a field twice that nobody reads", inConfig('"Image":"1","Image":"2"')),
  row("containerd's own label", config({ Labels: { "containerd.io/restart.loguri": "binary:///bin/sh" } }), {
    because: "containerd runs what one of them says as root (CVE-2026-53488)"
  }),
  row("a folder of the kernel as WorkingDir", config({ WorkingDir: "/proc/self/fd/8" }), {
    because: "it leads out of the container in older runc (CVE-2024-21626)"
  }),
  row("a relative WorkingDir", config({ WorkingDir: "srv" }), { because: "runc makes no container with it" }),
  row("a user with a sign", config({ User: "+1" }), { because: "some readers take it for a name" }),
  row("a user with a slash", config({ User: "../root" }), { because: "no user is called so" }),
  row("a NUL in a variable", config({ Env: ["A=\0"] }), { because: "no program can start with it" }),
  row("a variable of 132 KiB", config({ Env: [`A=${"x".repeat(135_000)}`] }), {
    because: "no program can start with it"
  }),
  row("a configuration of a megabyte", config({ Labels: { a: "x".repeat(1024 ** 2) } }), {
    because: "containerd and CRI hold it in memory for as long as the image is there"
  }),
  row("600 levels of a field that nobody reads", top({ extra: JSON.parse(`${"[".repeat(600)}${"]".repeat(600)}`) }), {
    because: "reading it uses up the stack"
  })
]
