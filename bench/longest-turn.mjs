// For `node --import`: when the process ends, it prints the most CPU time, in ms, that passed between two turns of a
// timer. What loading takes is measured elsewhere.
let last
let most = 0
setInterval(() => {
  const now = process.threadCpuUsage()
  if (last !== undefined) most = Math.max(most, now.user + now.system - last.user - last.system)
  last = process.uptime() < 1 ? undefined : now
}, 5).unref()
process.on("exit", () => console.log(`longest turn ${most / 1000}`))
