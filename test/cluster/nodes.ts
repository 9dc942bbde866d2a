/** The tests' kind cluster and its workers. */
export const cluster = "enbi-test"
export const workers = [`${cluster}-worker`, `${cluster}-worker2`]
