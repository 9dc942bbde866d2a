/** The tests' kind cluster and its nodes. */
export const cluster = "enbi-test"
export const workers = [`${cluster}-worker`, `${cluster}-worker2`]
export const controlPlane = `${cluster}-control-plane`
