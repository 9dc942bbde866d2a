/**
 * Additional certificate authorities: what Nix, the git that it runs, and
 * downloads inside builds trust beside the usual ones. Nix shows the file to a
 * download in its sandbox at the place where programs look for such a file.
 */
import { Effect, FileSystem } from "effect"
import type { BuildSettings } from "../settings.ts"

// Nix binds `ssl-cert-file` there (seen with 2.34.8), and most programs look there by themselves.
const inSandbox = "/etc/ssl/certs/ca-certificates.crt"

/** The environment by which Nix and all that it runs trust them; the file goes with the scope. */
export const trust = Effect.fn("trust")(function* (settings: BuildSettings) {
  const { caCertificates, nixConfig, sandbox, usualCertificates } = settings
  if (caCertificates.trim() === "") return {}
  const fs = yield* FileSystem.FileSystem
  const file = `${yield* fs.makeTempDirectoryScoped({ prefix: "certificates-" })}/ca-certificates.crt`
  const usual = yield* fs.readFileString(usualCertificates)
  yield* fs.writeFileString(file, `${usual.trimEnd()}\n${caCertificates.trim()}\n`)
  const shown = sandbox ? inSandbox : file
  return {
    NIX_CONFIG: `${nixConfig}\nssl-cert-file = ${file}`,
    GIT_SSL_CAINFO: file,
    // What nixpkgs' fetchers take over from Nix's own environment.
    NIX_SSL_CERT_FILE: shown,
    NIX_GIT_SSL_CAINFO: shown,
    SSL_CERT_FILE: shown
  }
})
