/**
 * Runs in a Pod: sends the requests of a line, one after the other over one
 * connection, and says how many milliseconds they took. The first line says
 * who it is to the API server.
 */
const { Agent, request } = require("node:https")
const { createInterface } = require("node:readline")

let agent
const send = ({ body, method, path, type }) =>
  new Promise((resolve, reject) => {
    const text = body === undefined ? "" : JSON.stringify(body)
    const headers = { "content-type": type ?? "application/json", "content-length": Buffer.byteLength(text) }
    const host = process.env.KUBERNETES_SERVICE_HOST
    request({ host, port: process.env.KUBERNETES_SERVICE_PORT, agent, headers, method, path }, (response) => {
      const chunks = []
      response.on("data", (chunk) => chunks.push(chunk))
      response.on("end", () => {
        const answer = Buffer.concat(chunks).toString()
        if (response.statusCode < 300) resolve(JSON.parse(answer))
        else reject(new Error(`${method} ${path}: ${answer}`))
      })
    })
      .on("error", reject)
      .end(text)
  })

const run = async () => {
  for await (const line of createInterface({ input: process.stdin })) {
    const asked = JSON.parse(line)
    if (agent === undefined) {
      agent = new Agent({ ...asked, keepAlive: true, maxSockets: 1 })
      await send({ method: "GET", path: "/version" })
      continue
    }
    const begin = performance.now()
    for (const one of asked) await send(one)
    console.log(performance.now() - begin)
  }
}

run()
