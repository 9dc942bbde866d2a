/**
 * The documents of an image from outside: everything that containerd and CRI
 * decode of them, and the part of it that we take over.
 * Types: github.com/opencontainers/image-spec/specs-go/v1; containerd,
 * core/images/archive/importer.go for manifest.json.
 */
import { Schema } from "effect"
import type { GoType } from "./go-types.ts"

/** What Go reads of a document, and what we take over of that. */
export interface Document<A> {
  readonly type: GoType
  readonly schema: Schema.Codec<A, unknown>
}

const platform: Readonly<Record<string, GoType>> = {
  architecture: "text",
  os: "text",
  "os.version": "text",
  "os.features": { list: "text" },
  variant: "text"
}

const Platform = Schema.Struct({
  architecture: Schema.String,
  os: Schema.String,
  variant: Schema.String,
  "os.features": Schema.Array(Schema.String)
})

/** A platform as a document names it, empty where it does not. */
export type Platform = typeof Platform.Type

const descriptor: GoType = {
  fields: {
    mediaType: "text",
    digest: "text",
    size: "integer",
    urls: { list: "text" },
    annotations: { map: "text" },
    data: "bytes",
    platform: { pointer: { fields: platform } },
    artifactType: "text"
  }
}

const Descriptor = Schema.Struct({
  mediaType: Schema.String,
  digest: Schema.String,
  platform: Schema.NullOr(Platform)
})
export type Descriptor = typeof Descriptor.Type

const versioned: Readonly<Record<string, GoType>> = {
  schemaVersion: "integer",
  mediaType: "text",
  artifactType: "text",
  subject: { pointer: descriptor },
  annotations: { map: "text" }
}

const Index = Schema.Struct({ manifests: Schema.Array(Descriptor) })
export const index: Document<typeof Index.Type> = {
  type: { fields: { ...versioned, manifests: { list: descriptor } } },
  schema: Index
}

const Manifest = Schema.Struct({ config: Descriptor, layers: Schema.Array(Descriptor) })
export const manifest: Document<typeof Manifest.Type> = {
  type: { fields: { ...versioned, config: descriptor, layers: { list: descriptor } } },
  schema: Manifest
}

const Kind = Schema.Struct({
  mediaType: Schema.String,
  config: Schema.Boolean,
  layers: Schema.Boolean,
  manifests: Schema.Boolean,
  fsLayers: Schema.Boolean
})

/** What a manifest or an index says that it is, and what it holds, `null` included. */
export const kind: Document<typeof Kind.Type> = {
  type: {
    fields: { mediaType: "text", config: "presence", layers: "presence", manifests: "presence", fsLayers: "presence" }
  },
  schema: Kind
}

const LayoutFile = Schema.Struct({ imageLayoutVersion: Schema.String })
export const layoutFile: Document<typeof LayoutFile.Type> = {
  type: { fields: { imageLayoutVersion: "text" } },
  schema: LayoutFile
}

const DockerImages = Schema.NullOr(
  Schema.Array(
    Schema.Struct({
      Config: Schema.String,
      RepoTags: Schema.Array(Schema.String),
      Layers: Schema.Array(Schema.String)
    })
  )
)
export const dockerImages: Document<typeof DockerImages.Type> = {
  type: { pointer: { list: { fields: { Config: "text", RepoTags: { list: "text" }, Layers: { list: "text" } } } } },
  schema: DockerImages
}

const ConfigPlatform = Schema.Struct(Platform.fields)
/** The part of a configuration that tells where the image runs. */
export const configPlatform: Document<typeof ConfigPlatform.Type> = {
  type: { fields: platform },
  schema: ConfigPlatform
}

const ImageConfig = Schema.Struct({
  ...Platform.fields,
  config: Schema.Struct({
    User: Schema.String,
    WorkingDir: Schema.String,
    Env: Schema.Array(Schema.String),
    Entrypoint: Schema.Array(Schema.String),
    Cmd: Schema.Array(Schema.String)
  }),
  rootfs: Schema.Struct({ type: Schema.String, diff_ids: Schema.Array(Schema.String) })
})
export type ImageConfig = typeof ImageConfig.Type

/** A whole configuration: each field that containerd and CRI decode, because one of another type spoils all. */
export const imageConfig: Document<ImageConfig> = {
  type: {
    fields: {
      ...platform,
      created: "time",
      author: "text",
      config: {
        fields: {
          User: "text",
          ExposedPorts: { map: { fields: {} } },
          Env: { list: "text" },
          Entrypoint: { list: "text" },
          Cmd: { list: "text" },
          Volumes: { map: { fields: {} } },
          WorkingDir: "text",
          Labels: { map: "text" },
          StopSignal: "text",
          ArgsEscaped: "boolean"
        }
      },
      rootfs: { fields: { type: "text", diff_ids: { list: "text" } } },
      history: {
        list: {
          fields: { created: "time", created_by: "text", author: "text", comment: "text", empty_layer: "boolean" }
        }
      }
    }
  },
  schema: ImageConfig
}
