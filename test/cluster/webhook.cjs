// Admission webhooks as other people's clusters have them, each below its own path. Runs in the builder image.
const { readFileSync } = require("node:fs")
const { createServer } = require("node:https")

const patch = (operations) => ({
  patchType: "JSONPatch",
  patch: Buffer.from(JSON.stringify(operations)).toString("base64")
})

const answers = {
  // A policy that says no without a code: the API server answers 400.
  "/limits": ({ object }) =>
    object.spec.containers.every(({ resources }) => resources?.limits?.memory !== undefined)
      ? { allowed: true }
      : { allowed: false, status: { message: "policy require-limits: every container needs a memory limit" } },
  // A mesh that asks nobody: one more container, which never ends.
  "/sidecar": ({ object }) => ({
    allowed: true,
    ...patch([
      {
        op: "add",
        path: "/spec/containers/-",
        value: {
          name: "mesh-proxy",
          image: object.spec.containers[0].image,
          command: ["busybox", "sleep", "1000000"],
          securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] }, runAsNonRoot: true }
        }
      }
    ])
  })
}

createServer({ key: readFileSync("/tls/tls.key"), cert: readFileSync("/tls/tls.crt") }, (request, response) => {
  const chunks = []
  request.on("data", (chunk) => chunks.push(chunk))
  request.on("end", () => {
    const review = JSON.parse(Buffer.concat(chunks).toString())
    const { uid } = review.request
    const answer = answers[new URL(request.url, "https://here").pathname](review.request)
    response.setHeader("content-type", "application/json")
    response.end(JSON.stringify({ ...review, request: undefined, response: { uid, ...answer } }))
  })
}).listen(8443)
