import type { FileRole, Manifest, ManifestSource } from "../managed/manifest"
import type { ModelName } from "../names"
import type { RemoteFile } from "./transfer/remote-file"

/** A file of a model, and its source. */
export interface PlannedFile {
  /** Its name in the manifest. */
  readonly name: string
  readonly role: FileRole
  readonly remote: RemoteFile
  /** A document about the model, not a part of it; it need not be signed. */
  readonly isDocument?: boolean
  /** Inspects the file while only its start is present; an error thrown here ends the download. */
  readonly inspect?: (path: string, prefixBytes: number) => void
}

/** The parts of a manifest that a source declares besides its files. */
export type DeclaredParts = Omit<Manifest, "version" | "kind" | "createdAt" | "source" | "files">

/** The steps to get a model. */
export interface PullPlan {
  readonly name: ModelName
  readonly source: ManifestSource
  readonly files: readonly PlannedFile[]
  readonly declared: DeclaredParts
  /** Decisions and information for the user; sentences. */
  readonly notes: readonly string[]
  /** Other possible meanings of the name; shown where the model turns out to be unusable. */
  readonly hint?: string
}
