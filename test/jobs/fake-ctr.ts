/**
 * What containerd and its client do when an image is pulled, as far as it
 * matters to the importer (containerd 2.1, client/pull.go and
 * cmd/ctr/commands/images/pull.go): fetch what is not there under a lease, give
 * the name, unpack. The folder that stands for the socket holds all there is:
 *
 *     images.json   which name is which digest
 *     blobs/<hex>   whole blobs; a half one is incoming-<hex>
 *     lease         exists while a pull runs: deleted by who ends by itself
 *     calls         each command, one a line
 *     fail-unpack   if it exists, unpacking fails
 *     slow          if it exists, a client that takes no more of a large layer than its beginning
 */
import { createHash } from "node:crypto"
import { appendFileSync, existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"

const [, , , directory = "", , , ...command] = process.argv
const read = (): Record<string, string> => JSON.parse(readFileSync(`${directory}/images.json`, "utf8"))
const write = (images: Record<string, string>) => writeFileSync(`${directory}/images.json`, JSON.stringify(images))
const hashOf = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex")
appendFileSync(`${directory}/calls`, `${command.join(" ")}\n`)

const fetchBlob = async (url: string, digest?: string): Promise<Uint8Array> => {
  const known = `${directory}/blobs/${digest?.slice(7)}`
  if (digest !== undefined && existsSync(known)) return readFileSync(known)
  const response = await fetch(url)
  if (response.status !== 200) throw new Error(`unexpected status ${response.status} of ${url}`)
  const incoming = `${directory}/incoming-${digest?.slice(7)}`
  const isLarge = Number(response.headers.get("content-length")) > 1_000_000
  const parts: Array<Uint8Array> = []
  for await (const part of response.body ?? []) {
    parts.push(part)
    writeFileSync(incoming, Buffer.concat(parts))
    if (isLarge && existsSync(`${directory}/slow`)) await untilRefused(url)
  }
  const bytes = Buffer.concat(parts)
  const hex = hashOf(bytes)
  if (digest !== undefined && `sha256:${hex}` !== digest) throw new Error(`unexpected commit digest sha256:${hex}`)
  writeFileSync(incoming, bytes)
  renameSync(incoming, `${directory}/blobs/${hex}`)
  return bytes
}

// Only the other side can end this.
const untilRefused = async (url: string): Promise<never> => {
  const { status } = await fetch(url, { method: "HEAD" })
  if (status !== 200) throw new Error(`unexpected status ${status} of ${url}`)
  return untilRefused(url)
}

const pull = async () => {
  const name = command.at(-1) ?? ""
  const [domain = "", ...path] = name.slice(0, name.lastIndexOf(":")).split("/")
  const hosts = readFileSync(`${command[command.indexOf("--hosts-dir") + 1]}/${domain}/hosts.toml`, "utf8")
  const url = `${/server = "(.*)"/.exec(hosts)?.[1]}/v2/${path.join("/")}`
  writeFileSync(`${directory}/lease`, "")
  try {
    const tag = name.slice(name.lastIndexOf(":") + 1)
    const head = await fetch(`${url}/manifests/${tag}`, { method: "HEAD" })
    const target = head.headers.get("docker-content-digest") ?? ""
    const json = async (kind: string, digest: string) =>
      JSON.parse(Buffer.from(await fetchBlob(`${url}/${kind}/${digest}`, digest)).toString())
    const index = await json("manifests", target)
    const manifest = await json("manifests", index.manifests[0].digest)
    await json("blobs", manifest.config.digest)
    // A client that is cut off asks again from the beginning.
    const fetchLayer = ({ digest }: { readonly digest: string }) => {
      const once = () => fetchBlob(`${url}/blobs/${digest}`, digest)
      return once().catch(once)
    }
    await Promise.all(manifest.layers.map(fetchLayer))
    write({ ...read(), [name]: target })
    if (existsSync(`${directory}/fail-unpack`)) throw new Error("wrong diff id calculated on extraction")
  } finally {
    rmSync(`${directory}/lease`)
  }
}

const run = async () => {
  const images = read()
  if (command[1] === "pull") return pull()
  if (command[1] === "ls")
    for (const [name, digest] of Object.entries(images)) console.log(`${name} type ${digest} 1 MiB`)
  if (command[1] === "rm") {
    delete images[command[2] ?? ""]
    write(images)
  }
  // What no lease and no name keeps is collected.
  for (const name of readdirSync(directory)) if (name.startsWith("incoming-")) rmSync(`${directory}/${name}`)
}

await run().catch((error: unknown) => {
  console.error(`ctr: ${String(error)}`)
  process.exitCode = 1
})
