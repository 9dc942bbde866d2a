/** What an event costs without us: a bare node that reads the body as JSON and answers 204. */
import { createServer } from "node:http"

createServer((request, response) => {
  const chunks = []
  request.on("data", (chunk) => chunks.push(chunk))
  request.on("end", () => {
    JSON.parse(Buffer.concat(chunks).toString())
    response.writeHead(204).end()
  })
}).listen(process.env.PORT, () => console.log("Listening on"))
