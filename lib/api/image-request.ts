/**
 * What goes into an image that is made of packages: the same fields in a
 * NixImage, where people write them, and in the NixBuild that builds it.
 */
import { Schema } from "effect"
import { attributeRules, environmentRules } from "./image-rules.ts"
import { rulesOf } from "./nixbuild-rules.ts"

const optional = Schema.optionalKey

export const maxContents = 64
export const maxLayers = 125

const Words = Schema.Array(Schema.String.check(Schema.isMaxLength(4096))).check(Schema.isMaxLength(256))
const Empty = Schema.Record(Schema.String, Schema.String).check(Schema.isMaxProperties(0))
const Keys = Schema.Record(Schema.String, Empty)

/** OCI Image Format Specification, "Image Configuration": the properties of `config`. */
export const ImageConfig = Schema.Struct({
  Entrypoint: optional(
    Words.annotate({ description: "What the container runs, with the arguments that always come first." })
  ),
  Cmd: optional(
    Words.annotate({ description: "Arguments of Entrypoint, or what runs without one. A Pod's args replace it." })
  ),
  Env: optional(
    Schema.Array(
      Schema.String.check(Schema.isMaxLength(4096)).annotate({ "x-kubernetes-validations": rulesOf(environmentRules) })
    )
      .check(Schema.isMaxLength(128))
      .annotate({ description: "Environment variables, each as NAME=value. They come after those of the image's own." })
  ),
  User: optional(
    Schema.String.check(Schema.isMaxLength(256)).annotate({
      description: "User, or user:group, by name or number. Absent: root."
    })
  ),
  WorkingDir: optional(
    Schema.String.check(Schema.isMaxLength(4096)).annotate({ description: "Where the program starts. Absent: /." })
  ),
  ExposedPorts: optional(Keys.annotate({ description: "Ports, as 80/tcp: {}. Kubernetes does not read them." })),
  Volumes: optional(Keys.annotate({ description: "Folders that are volumes, as /data: {}." })),
  Labels: optional(Schema.Record(Schema.String, Schema.String).annotate({ description: "Labels of the image." })),
  StopSignal: optional(
    Schema.String.check(Schema.isMaxLength(64)).annotate({
      description: "The signal that stops the container. Absent: SIGTERM."
    })
  )
})
export type ImageConfig = typeof ImageConfig.Type

/** What an image has beside its packages, unless it is left out. */
export const Extra = Schema.Literals(["CACertificates", "Shell", "Env", "Users", "Tmp", "Path"])
export type Extra = typeof Extra.Type

export const requestFields = {
  contents: Schema.Array(
    Schema.String.check(Schema.isMinLength(1), Schema.isMaxLength(256)).annotate({
      "x-kubernetes-validations": rulesOf(attributeRules)
    })
  )
    .check(Schema.isMinLength(1), Schema.isMaxLength(maxContents))
    .annotate({
      description:
        'The packages: attributes of the package set, as jq, python3Packages.requests or nodePackages."@angular/cli". 1 to 64. Where two have a file of the same path, the first in the order of their names wins.'
    }),
  config: optional(
    ImageConfig.annotate({
      description:
        "The image's configuration, with the names of the OCI Image Format Specification. Absent: what Path and CACertificates set, and no command."
    })
  ),
  maxLayers: optional(
    Schema.Int.check(Schema.isBetween({ minimum: 2, maximum: maxLayers })).annotate({
      description: "How many layers the image may have: 2 to 125, default 100. With more, images share more of them."
    })
  ),
  omit: optional(
    Schema.Array(Extra).check(Schema.isMaxLength(6)).annotate({
      description:
        "What the image shall not have of the things that every image gets: CACertificates (a CA bundle under /etc/ssl/certs, and SSL_CERT_FILE), Shell (/bin/sh), Env (/usr/bin/env), Users (/etc/passwd and /etc/group with root and nobody), Tmp (/tmp), Path (PATH=/bin:/usr/bin). Absent: it gets all.",
      "x-kubernetes-list-type": "set"
    })
  ),
  ignoreCase: optional(
    Schema.Boolean.annotate({
      description:
        "How names of packages are looked up that the set does not have as they are: if true, with _ in front, and then without regard to case, since the names of images have no capitals. More than one of them is an error. Default false."
    })
  ),
  allowUnfree: optional(
    Schema.Boolean.annotate({ description: "Whether packages with an unfree license may be used. Default false." })
  )
} as const

export const ImageRequest = Schema.Struct(requestFields)
export type ImageRequest = typeof ImageRequest.Type
