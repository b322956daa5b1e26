import type { ModelSummary } from "../../domain/model"
import { ModelExists, ModelNotFound } from "../../errors/model"
import { InternalError } from "../../errors/base"
import { Cancelled, Unsupported } from "../../errors/request"
import { SignatureRefused } from "../../errors/store"
import { peekGgufKind } from "../../formats/gguf/read"
import type { Occupant, Store } from "../contract"
import { damagedDescription } from "../hint"
import type { KeyFolder } from "../keys"
import type { Digest, Manifest, ManifestFile } from "../managed/manifest"
import { formatModelName, parseModelName } from "../names"
import { identify } from "./choose/identify"
import type { PullEvent } from "./events"
import { FileDownloads } from "./file-downloads"
import { planPull } from "./find-plan"
import type { PullPlan } from "./plan"
import { repairModel } from "./repair"
import { checkSignature, fetchSignature } from "./signatures"
import { planSnapshot, Snapshot, type SnapshotReference } from "./snapshot"
import { fileOfUrl, hubNameOfUrl, isUrl } from "./sources/url-source"
import { SourceChanged } from "./transfer/download"
import { HttpClient } from "./transfer/http-client"
import { cleanPartials } from "./transfer/leftovers"
import type { Patience } from "./transfer/retry"
import { isLoopbackHost, type SourceContext, type SourceSettings } from "./transfer/source-context"
import { checkUpdates, type UpdateState } from "./updates"

export interface PullerOptions {
  readonly store: Store
  readonly sources: SourceSettings
  readonly patience: Patience
  /** Maximum number of connections. */
  readonly connections: number
  /** The trusted keys. */
  readonly keys: KeyFolder
  /** Accept only files signed with a trusted key. */
  readonly verify: boolean
}

export interface PullOptions {
  /** A name, where an alias stands for its target and is never pulled itself; or the URL of a GGUF file. */
  readonly model: string
  /**
   * Only fetch a model that is missing: a present one is used as it is, and nothing is replaced, not even a model
   * installed during the download.
   */
  readonly onlyMissing?: boolean
  /** Allow plain HTTP and untrusted certificates. */
  readonly isInsecure?: boolean
  readonly signal: AbortSignal
  readonly onEvent: (event: PullEvent) => void
}

/** Enough of a GGUF to tell what it is. */
const HEAD_BYTES = 64 * 1024

/** How often a file may change at its source during a download. */
const MOST_CHANGES = 3

/** Downloads models into a store. */
export class Puller {
  readonly #options: PullerOptions
  readonly #downloads: FileDownloads

  constructor(options: PullerOptions) {
    this.#options = options
    this.#downloads = new FileDownloads(options.store.blobs, options.connections)
  }

  /**
   * Installs a model as it is at its source now. Resumes earlier downloads, and does not fetch files that are
   * present. Never replaces a locally created model.
   * @throws ModelNotFound naming other possible meanings of the name; ModelExists, DownloadFailed, NotAuthorized,
   * ChecksumMismatch, DiskFull, Unsupported, InvalidModelFile; Cancelled, after which the same pull resumes where
   * it stopped
   */
  async pull(options: PullOptions): Promise<ModelSummary> {
    const made = await this.pullAny(options, false)
    if (made === undefined) throw new InternalError("an adapter was pulled as a model")
    return made
  }

  /**
   * As {@link pull}, for adapters too, which become files in the folder of adapters.
   * @returns undefined for an adapter
   */
  async pullAny(options: PullOptions, mayBeAdapter = true): Promise<ModelSummary | undefined> {
    try {
      return await this.#pull(options, mayBeAdapter)
    } catch (error) {
      throw options.signal.aborted ? new Cancelled() : this.#options.store.explain(error)
    }
  }

  /**
   * Checks everything that needs no network.
   * @throws InvalidModelName; InvalidRequest for a URL that is not of a GGUF file
   */
  check({ model, isInsecure = false }: Pick<PullOptions, "model" | "isInsecure">): void {
    if (!isUrl(model)) parseModelName(model)
    else if (hubNameOfUrl(model) === undefined) fileOfUrl(model, isInsecure)
  }

  async #pull(options: PullOptions, mayBeAdapter: boolean): Promise<ModelSummary | undefined> {
    const { onlyMissing = false, isInsecure = false, signal, onEvent } = options
    const target = await this.#options.store.aliasTarget(options.model)
    const model = target ?? options.model
    const known = onlyMissing && !isUrl(model) ? await this.#known(model) : undefined
    if (known !== undefined) return known
    this.check(options)
    const context = this.#context(isInsecure, signal)
    await cleanPartials(this.#options.store.blobs)
    if (target !== undefined) onEvent({ type: "note", text: `'${options.model}' is an alias of '${target}'` })
    onEvent({ type: "status", status: "pulling manifest" })
    for (let changes = 0; ; changes++) {
      const plan = await planPull(model, { ...context, patience: impatient(context.patience) })
      const kept = await this.#kept(plan, onlyMissing)
      if (kept !== undefined) return kept
      for (const text of plan.notes) onEvent({ type: "note", text })
      try {
        return await this.#carryOut(plan, context, { ...options, mayBeAdapter })
      } catch (error) {
        if (error instanceof ModelExists && onlyMissing) {
          const installed = await this.#kept(plan, onlyMissing)
          if (installed !== undefined) return installed
        }
        if (!(error instanceof SourceChanged) || changes === MOST_CHANGES) throw error
        const text = `${formatModelName(plan.name)} has changed at its source (${error.message}); downloading it again`
        onEvent({ type: "note", text })
      }
    }
  }

  /**
   * What {@link snapshot} would download.
   * @throws as {@link planSnapshot}; Cancelled
   */
  async planSnapshot(reference: SnapshotReference, signal: AbortSignal): ReturnType<typeof planSnapshot> {
    const context = this.#context(false, signal)
    try {
      return await planSnapshot(reference, { ...context, patience: impatient(context.patience) })
    } catch (error) {
      throw signal.aborted ? new Cancelled() : error
    }
  }

  /**
   * Downloads files of a repository without installing them. Resumes earlier downloads.
   * @throws as {@link pull}
   */
  async snapshot(
    plan: Awaited<ReturnType<typeof planSnapshot>>,
    { signal, onEvent }: Pick<PullOptions, "signal" | "onEvent">,
  ): Promise<Snapshot> {
    const { store } = this.#options
    try {
      const context = this.#context(false, signal)
      await cleanPartials(store.blobs)
      await using _held = await store.blobs.hold(plan.files.flatMap(({ remote }) => remote.digest ?? []))
      const files = await this.#fetch(plan, context, onEvent)
      return await Snapshot.open(store, plan, files)
    } catch (error) {
      throw signal.aborted ? new Cancelled() : store.explain(error)
    }
  }

  /** As {@link repairModel}. */
  async repair({ model, isInsecure = false, signal, onEvent }: PullOptions): Promise<readonly string[]> {
    const context = this.#context(isInsecure, signal)
    return await repairModel(model, {
      store: this.#options.store,
      downloads: this.#downloads,
      context,
      onEvent,
    })
  }

  /**
   * Whether the sources of models have newer versions; models without a source are left out.
   * @param signal ends the wait for sources that do not answer
   */
  async checkUpdates(
    names: readonly string[],
    signal: AbortSignal,
  ): Promise<ReadonlyMap<string, UpdateState>> {
    const context = this.#context(false, signal)
    const once = { ...context, patience: { ...context.patience, attempts: 1 } }
    return await checkUpdates(names, this.#options.store, once)
  }

  #context(isInsecure: boolean, signal: AbortSignal): SourceContext {
    const { sources, patience } = this.#options
    const configured = [sources.huggingFace, sources.ollamaRegistry].map((url) => new URL(url).origin)
    const client = new HttpClient(
      {
        allowsPlain: (url) => isInsecure || isLoopbackHost(url.hostname) || configured.includes(url.origin),
        acceptsAnyCertificate: isInsecure,
      },
      patience.stallMs,
    )
    return { settings: sources, client, patience, isInsecure, signal }
  }

  /** The present model of that name. @throws ModelExists where an unreadable one has the name */
  async #known(model: string): Promise<ModelSummary | undefined> {
    const { store } = this.#options
    try {
      return await store.resolve(model)
    } catch (error) {
      if (!(error instanceof ModelNotFound)) throw error
      const name = parseModelName(model)
      if ((await store.installedAs(name)) !== "unreadable") return undefined
      throw new ModelExists(formatModelName(name), damagedDescription(formatModelName(name)))
    }
  }

  /**
   * The installed model under a plan's name, where it is the wanted one and stays.
   * @throws ModelExists where it is a different one, and may not be replaced
   */
  async #kept(plan: PullPlan, onlyMissing: boolean): Promise<ModelSummary | undefined> {
    const { store } = this.#options
    const occupant = await store.installedAs(plan.name)
    if (occupant === undefined) return undefined
    const obstacle = obstacleTo(plan, occupant, onlyMissing)
    if (obstacle !== undefined) throw new ModelExists(formatModelName(plan.name), obstacle)
    return onlyMissing ? await store.resolve(formatModelName(plan.name)) : undefined
  }

  async #carryOut(
    plan: PullPlan,
    context: SourceContext,
    { onlyMissing = false, mayBeAdapter, onEvent }: PullOptions & { readonly mayBeAdapter: boolean },
  ): Promise<ModelSummary | undefined> {
    const { store } = this.#options
    const { blobs } = store
    const declared = plan.files.flatMap(({ remote }) => remote.digest ?? [])
    await using _held = await blobs.hold(declared)
    const files = await this.#fetch(plan, context, onEvent)
    // Includes the digests that the sources did not declare.
    await using _all = await blobs.hold(files.map(({ digest }) => digest))
    const adapter = await this.#adapterAmong(files)
    if (adapter !== undefined) return await this.#addAdapter(adapter, plan, files, { mayBeAdapter, onEvent })
    const manifest = await this.#manifestOf(plan, files)
    onEvent({ type: "status", status: "writing manifest" })
    const mayReplace = (occupant: Occupant) =>
      !onlyMissing && obstacleTo(plan, occupant, onlyMissing) === undefined
    await store.install(plan.name, manifest, { mayReplace })
    const summary = await store.resolve(formatModelName(plan.name))
    for (const text of summary.defaults?.notes ?? [])
      onEvent({ type: "note", text: `${summary.name}: ${text}` })
    onEvent({ type: "status", status: "success" })
    return summary
  }

  /** Fetches the files of a plan, and verifies them. */
  async #fetch(
    plan: PullPlan,
    context: SourceContext,
    onEvent: PullOptions["onEvent"],
  ): Promise<readonly ManifestFile[]> {
    await this.#downloads.checkSpace(plan)
    const signatures = await this.#fetchSignatures(plan, context)
    const files = await this.#downloads.fetchAll(plan, context, onEvent)
    onEvent({ type: "status", status: "verifying sha256 digest" })
    await this.#checkSignatures(signatures, files, onEvent)
    return files
  }

  /** The main file, if that is an adapter rather than a model. */
  async #adapterAmong(files: readonly ManifestFile[]): Promise<ManifestFile | undefined> {
    const main = files.filter(({ role }) => role === "model")
    const [first] = main
    if (first === undefined || main.length > 1) return undefined
    const head = await Bun.file(this.#options.store.blobs.pathOf(first.digest)).slice(0, HEAD_BYTES).bytes()
    return peekGgufKind(head)?.type === "adapter" ? first : undefined
  }

  async #addAdapter(
    { name: file, digest }: ManifestFile,
    { name }: PullPlan,
    files: readonly ManifestFile[],
    { mayBeAdapter, onEvent }: Pick<PullOptions, "onEvent"> & { readonly mayBeAdapter: boolean },
  ): Promise<undefined> {
    const { store } = this.#options
    const label = formatModelName(name)
    try {
      if (!mayBeAdapter)
        throw new Unsupported(
          `${label} is a LoRA adapter, not a model; 'xllm pull ${label}' makes it available`,
        )
      // Many are published under a name that says nothing.
      const wanted = /^(ggml-)?adapter|^lora\b/i.test(file) ? `${name.model}.gguf` : file
      const added = await store.adapters.add(store.blobs.pathOf(digest), wanted)
      onEvent({
        type: "note",
        text:
          `'${added.name}' is a LoRA adapter for models of the architecture '${added.facts?.architecture}': ` +
          `use it as MODEL@${added.name}`,
      })
      onEvent({ type: "status", status: "success" })
    } finally {
      await store.abandon(files.map((each) => each.digest))
    }
  }

  /** By file name; fetched before the files, which are useless without signatures. */
  async #fetchSignatures(
    { files, source }: PullPlan,
    context: SourceContext,
  ): Promise<ReadonlyMap<string, Uint8Array>> {
    if (!this.#options.verify) return new Map()
    if (source.type === "ollama") {
      throw new SignatureRefused(source.reference, "registries do not provide signatures")
    }
    const signed = files.filter(({ isDocument }) => isDocument !== true)
    const found = await Promise.all(
      signed.map(async ({ name, remote }) => [name, await fetchSignature(remote, context)] as const),
    )
    return new Map(found)
  }

  async #checkSignatures(
    signatures: ReadonlyMap<string, Uint8Array>,
    files: readonly ManifestFile[],
    onEvent: PullOptions["onEvent"],
  ): Promise<void> {
    if (signatures.size === 0) return
    onEvent({ type: "status", status: "verifying signatures" })
    const keys = await this.#options.keys.keys()
    for (const { name, digest } of files) {
      const signature = signatures.get(name)
      const path = this.#options.store.blobs.pathOf(digest)
      if (signature !== undefined) await checkSignature({ path, label: name }, signature, keys)
    }
  }

  async #manifestOf(plan: PullPlan, files: readonly ManifestFile[]): Promise<Manifest> {
    const pathOf = (digest: Digest) => this.#options.store.blobs.pathOf(digest)
    const fetched = files.map(({ name, role, digest, sizeBytes }) => ({
      name,
      role,
      sizeBytes,
      path: pathOf(digest),
    }))
    const kind = await identify(fetched, formatModelName(plan.name), plan.hint)
    return {
      version: 1,
      kind,
      createdAt: new Date().toISOString(),
      source: plan.source,
      // Only text models have a main file that the others belong to.
      files: kind === "text" ? files : files.map((file) => ({ ...file, role: "file" as const })),
      ...plan.declared,
    }
  }
}

/** Why a plan's model may not replace the present one; undefined where it may, or where it is the same. */
function obstacleTo(
  { name, source }: PullPlan,
  occupant: Occupant,
  onlyMissing: boolean,
): string | undefined {
  const model = formatModelName(name)
  if (occupant === "unreadable") {
    if (!onlyMissing) return undefined
    return damagedDescription(model, source.type === "url" ? source.reference : model)
  }
  const ways = `'xllm cp ${model} NAME' keeps it under another name, 'xllm rm ${model}' deletes it`
  const { type, reference } = occupant.source ?? {}
  if (source.type === "url" && !(type === "url" && reference === source.reference)) {
    return `it did not come from ${source.reference}; ${ways}`
  }
  return !onlyMissing && (type === "create" || type === "file") ? `it was made here; ${ways}` : undefined
}

/** A user waits for the first response: whether a model exists is found out soon or not at all. */
function impatient(patience: Patience): Patience {
  return { ...patience, attempts: Math.min(patience.attempts, 3) }
}
