import type { FileRole, Manifest, ManifestSource } from "../managed/manifest"
import type { ModelName } from "../names"
import type { RemoteFile } from "./transfer/remote-file"

/** A file of a model, and where it comes from. */
export interface PlannedFile {
  /** As it will be called in the manifest. */
  readonly name: string
  readonly role: FileRole
  readonly remote: RemoteFile
  /** Text about the model, not a part of it; nothing is lost where it is not signed. */
  readonly isDocument?: boolean
  /** Looks at the file while only its start is there; what it throws ends the download. */
  readonly inspect?: (path: string, prefixBytes: number) => void
}

/** Everything of a manifest that a source declares beside its files. */
export type DeclaredParts = Omit<Manifest, "version" | "kind" | "createdAt" | "source" | "files">

/** What has to be done to have a model. */
export interface PullPlan {
  readonly name: ModelName
  readonly source: ManifestSource
  readonly files: readonly PlannedFile[]
  readonly declared: DeclaredParts
  /** What was decided, and what the user should know; sentences. */
  readonly notes: readonly string[]
  /** What else the name could have meant; shown where the model turns out to be useless here. */
  readonly hint?: string
}
