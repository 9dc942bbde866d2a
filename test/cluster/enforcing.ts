/**
 * The test cluster's network keeps no NetworkPolicy, so here something does:
 * on the workers a rule of iptables hands the first packet of each connection
 * to a program that decides by the policies. And outside the cluster there are
 * two addresses that answer: one that is public, and one of clouds' metadata.
 */
import { Effect } from "effect"
import { output } from "../../tools/command.ts"
import { eventually, onNode, when } from "./kubectl.ts"
import { controlPlane, workers } from "./nodes.ts"

/** RFC 5737: nobody's, for documentation. */
export const publicAddress = "203.0.113.1"
export const metadataAddress = "169.254.169.254"
export const port = 8081

const addresses = [publicAddress, metadataAddress]
const docker = (...args: ReadonlyArray<string>) => output({ command: "docker", args })

// One that nobody else listens to, such as the network of kind's own image.
const queue = 4242
const rule = `FORWARD -s 10.244.0.0/16 -m conntrack --ctstate NEW -j NFQUEUE --queue-num ${queue}`
const program = "/usr/local/bin/enforcer"
const enforcerPidFile = "/run/enforcer.pid"

/** A process on a node that ends with the scope. */
const onNodeUntilEnd = (node: string, { command, pidFile }: { readonly command: string; readonly pidFile: string }) =>
  Effect.acquireRelease(
    docker("exec", "-d", node, "sh", "-c", `echo $$ >${pidFile}; exec ${command} >${pidFile}.log 2>&1`),
    () => Effect.ignore(onNode(node, `kill $(cat ${pidFile})`))
  )

const enforceOn = Effect.fnUntraced(function* (node: string, path: string) {
  yield* docker("cp", path, `${node}:${program}`)
  const kubeconfig = yield* onNode(controlPlane, "cat /etc/kubernetes/admin.conf")
  yield* output({
    command: "docker",
    args: ["exec", "-i", node, "sh", "-c", "cat >/run/enforcer.conf"],
    input: kubeconfig
  })
  yield* onNodeUntilEnd(node, {
    command: `${program} -kubeconfig /run/enforcer.conf -queue ${queue}`,
    pidFile: enforcerPidFile
  })
  const isListening = `grep -qE '^ *${queue} ' /proc/net/netfilter/nfnetlink_queue && echo yes || cat ${enforcerPidFile}.log`
  yield* eventually(
    `${node} decides on packets`,
    Effect.map(onNode(node, isListening), (said) => when(said, said.trim() === "yes"))
  )
  // Nobody can be reached any more when the program has ended, so the rule goes first.
  yield* Effect.acquireRelease(onNode(node, `iptables -I ${rule}`), () =>
    Effect.orDie(onNode(node, `iptables -D ${rule}`))
  )
})

/** Until the scope ends; `target` answers under both addresses. */
export const enforcing = Effect.fnUntraced(function* (target: string) {
  const path = (yield* output({ command: "bash", args: ["test/cluster/enforcer/build.sh"] })).trim()
  const gateway = (yield* docker("inspect", "-f", "{{.NetworkSettings.Networks.kind.IPAddress}}", controlPlane)).trim()
  for (const address of addresses) {
    yield* Effect.acquireRelease(onNode(controlPlane, `ip address replace ${address}/32 dev lo`), () =>
      Effect.ignore(onNode(controlPlane, `ip address del ${address}/32 dev lo`))
    )
    yield* onNodeUntilEnd(controlPlane, {
      command: `socat TCP-LISTEN:${port},bind=${address},fork,reuseaddr TCP:${target}:80`,
      pidFile: `/run/socat-${address}.pid`
    })
    for (const worker of workers) {
      yield* Effect.acquireRelease(onNode(worker, `ip route replace ${address} via ${gateway}`), () =>
        Effect.ignore(onNode(worker, `ip route del ${address}`))
      )
    }
  }
  for (const worker of workers) yield* enforceOn(worker, path)
})
