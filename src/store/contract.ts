import type { UsableAdapter } from "../domain/adapters"
import type { ModelDetails, ModelKind, ModelSummary } from "../domain/model"
import type { AdapterFile } from "./adapters/adapter-files"
import type { Digest, Manifest } from "./managed/manifest"
import type { ModelName } from "./names"

/** Read access to the known models. */
export interface Catalog {
  /** Newest first. */
  list(): Promise<readonly ModelSummary[]>
  /**
   * The model of that name, ignoring case; without a name the only one of that kind (of any kind, where none is
   * given). A file in the models folder comes first, then an installed model, whose tag defaults to `latest`. A
   * file's name may carry the tag `latest` as well. A name that no model has may be an alias, which is resolved by
   * the same rule.
   * @throws ModelNotFound, suggesting similar names; InvalidRequest where no name was given and several models are
   * known
   */
  resolve(name: string | undefined, kind?: ModelKind): Promise<ModelSummary>
  /** @throws ModelNotFound, ModelLoadFailed where the files are invalid */
  describe(name: string): Promise<ModelDetails>
  /** What the name stands for; undefined: it is no alias. Absent: there are none. */
  aliasTarget?(name: string): Promise<string | undefined>
  /** Absent: requests can only use the adapters of the models themselves. */
  readonly adapters?: AdapterCatalog
}

/** An adapter that may be used with a model. */
export interface ModelAdapter extends UsableAdapter {
  /** Absolute. */
  readonly path: string
  /** Why it cannot be used with this model, as what follows "it"; absent: it can. */
  readonly misfit?: string
  /** The same for files of the same content. @throws FileFailed */
  key(): Promise<string>
}

/** The adapters that requests can name. */
export interface AdapterCatalog {
  /** Are there any that apply to requests that name none, besides those of the models themselves? */
  readonly areConfigured: boolean
  /**
   * Those of the model itself, those in the configuration, then those in the folder of adapters, each name once.
   * None for models that generate no text.
   */
  of(model: ModelSummary): Promise<readonly ModelAdapter[]>
}

/** Models on disk: installed ones, and files placed in the models folder. */
export interface Store extends Catalog {
  /** Every alias, in configuration order. */
  aliases(): Promise<readonly AliasState[]>
  /** The final target of an alias, whether it exists or not; undefined for a model's own name. */
  aliasTarget(name: string): Promise<string | undefined>

  /** Adds a file outside the models folder under its file name without `.gguf`. */
  add(path: string): Promise<ModelSummary>

  /** `undefined` for a model that is not installed but a local or added file. @throws ModelNotFound */
  manifest(name: string): Promise<Manifest | undefined>
  /**
   * The files of any model. Local and added files are read to compute their digests.
   * @throws ModelNotFound, and the file system's error where a file cannot be read
   */
  contents(name: string): Promise<ModelContents>
  /** What is installed under exactly that name, ignoring case; local files do not count. */
  installedAs(name: ModelName): Promise<Occupant | undefined>
  /**
   * Installs a model made of blobs. A model of the same name is replaced atomically: readers see either the old or
   * the new one; blobs used only by the old one are freed.
   * @throws BlobMissing where one of the manifest's files is not among the blobs; ModelExists where the name is
   * taken and may not be replaced; StoreBusy
   */
  install(name: ModelName, manifest: Manifest, options?: InstallOptions): Promise<ModelSummary>
  /**
   * Deletes a model: an installed one with the blobs that no other model uses, or the local file. A damaged manifest is
   * deleted too, with the blobs whose digests are in it, and a local file that cannot be used.
   * @param expectedId of the intended model: a different one under that name is not deleted
   * @throws ModelNotFound, StoreBusy; InvalidRequest for files outside the models folder
   */
  remove(name: string, expectedId?: string): Promise<RemovedModel>
  /**
   * Gives a model an additional name, replacing any model of that name; a local file is installed for it.
   * @throws ModelNotFound, InvalidModelFile, FileFailed, StoreBusy
   */
  copy(source: string, target: ModelName): Promise<ModelSummary>
  /**
   * Releases blobs added for a model that is not going to be installed. Frees those that were new, unless a model
   * uses them or another process is about to. Never rejects.
   */
  abandon(digests: readonly Digest[]): Promise<void>
  /** Turns the system's errors in the models folder into our own, with the path; returns other errors unchanged. */
  explain(error: unknown): unknown
  /**
   * Removes the leftovers of killed processes, and blobs unused for long; nothing that is in use or can be resumed.
   */
  tidy(): Promise<void>
  readonly blobs: Blobs
  readonly adapters: AdapterLibrary
}

/** The adapters on disk. */
export interface AdapterLibrary extends AdapterCatalog {
  readonly folder: string
  /** Those in the configuration, then those in the folder. */
  list(): Promise<readonly AdapterFile[]>
  /**
   * Copies a file into the folder.
   * @param file its name there
   * @throws InvalidModelFile where it is no adapter, AdapterExists where another has that name, FileFailed
   */
  add(path: string, file: string): Promise<AdapterFile>
  /** The one of that name, ignoring case. */
  find(name: string): Promise<AdapterFile | undefined>
}

/** Another name for a model. */
export interface AliasState {
  readonly alias: string
  /** The target in the configuration. */
  readonly target: string
  /** The model of the same name that hides the alias. */
  readonly hiddenBy: string | undefined
  /** The model it resolves to; `undefined` where that does not exist. */
  readonly model: string | undefined
}

/** What is installed under a name. `unreadable`: its manifest is damaged, or written by a later version. */
export type Occupant = Manifest | "unreadable"

export interface InstallOptions {
  /**
   * Decides whether the model that has the name at that moment may be replaced; where it may not, installing an
   * identical model still succeeds. Absent: anything may be replaced.
   */
  readonly mayReplace?: (occupant: Occupant) => boolean
}

/** A model and its files. */
export interface ModelContents {
  readonly name: string
  readonly manifest: Manifest
  pathOf(digest: Digest): string
}

/** The result of {@link Store.remove}. */
export interface RemovedModel {
  readonly name: string
  readonly freedBytes: number
  /** The deleted files or links of a local model; absent for an installed one. */
  readonly paths?: readonly string[]
  /** The manifest could not be read. */
  readonly wasDamaged?: true
}

/** A file of installed models, named by its digest. */
export interface Blob {
  readonly digest: Digest
  readonly sizeBytes: number
}

export interface AddFileOptions {
  /** Move the file at `path` rather than copy it. */
  readonly move?: boolean
  /** The file will never change, so a hard link may replace a copy where the file system supports it. */
  readonly link?: boolean
  /** The digest, if it is already verified; absent: the file is read to compute it. */
  readonly digest?: Digest
}

/**
 * Safe for concurrent use by several processes. Added blobs are protected from being freed until a manifest that
 * uses them is installed, or the process ends.
 */
export interface Blobs {
  /** Where a blob is, or would be. */
  pathOf(digest: Digest): string
  has(digest: Digest): Promise<boolean>
  /**
   * Moves or copies a finished file in; a copy shares its blocks where the file system supports it.
   * @throws FileFailed; InvalidModelFile for something that is not a file, or that changes meanwhile
   */
  addFile(path: string, options?: AddFileOptions): Promise<Blob>
  addBytes(bytes: Uint8Array): Promise<Blob>
  /**
   * A folder for unfinished files, on the file system of the blobs. It is removed at the end of the scope (`await
   * using`), and after the process has ended.
   */
  openWorkspace(): Promise<AsyncDisposable & { readonly path: string }>
  /**
   * Protects present and future blobs from being freed before a manifest names them, until the end of the scope
   * (`await using`): during a download, another process may remove the model that has them.
   */
  hold(digests: readonly Digest[]): Promise<AsyncDisposable>
  /** Folder for resumable downloads. It need not exist. */
  readonly partialFolder: string
}
