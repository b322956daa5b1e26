import { rm } from "node:fs/promises"
import type { ModelSummary } from "../../domain/model"
import { ModelExists, ModelNotFound } from "../../errors/model"
import { Cancelled, InvalidRequest } from "../../errors/request"
import { DownloadFailed, SignatureRefused } from "../../errors/store"
import { Semaphore } from "../../lib/async/semaphore"
import type { Blob, Occupant, Store } from "../contract"
import { damagedDescription } from "../hint"
import type { KeyFolder } from "../keys"
import { type Digest, type Manifest, type ManifestFile, manifestId } from "../managed/manifest"
import { formatModelName, HUGGING_FACE_HOST, type ModelName, OLLAMA_HOST, parseModelName } from "../names"
import { identify } from "./choose/identify"
import { findDamage } from "./damage"
import type { PullEvent } from "./events"
import type { PlannedFile, PullPlan } from "./plan"
import { checkSignature, fetchSignature } from "./signatures"
import { planHubPull } from "./sources/huggingface"
import { planRegistryPull } from "./sources/ollama-registry"
import { fileOfUrl, hubNameOfUrl, isUrl, planUrlPull } from "./sources/url-source"
import { checkDiskSpace } from "./transfer/disk-space"
import { SourceChanged } from "./transfer/download"
import { fetchBlob, type FetchOptions, partialKey } from "./transfer/fetch-blob"
import { HttpClient } from "./transfer/http-client"
import { cleanPartials } from "./transfer/leftovers"
import { partialBytes } from "./transfer/partial-file"
import type { RemoteFile } from "./transfer/remote-file"
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

/** How often a file may change at its source during a download. */
const MOST_CHANGES = 3
/** Files fetched in parallel: speech models come with hundreds of small ones. */
const FILES_AT_ONCE = 4

/** Downloads models into a store. */
export class Puller {
  readonly #options: PullerOptions
  readonly #connections: Semaphore

  constructor(options: PullerOptions) {
    this.#options = options
    this.#connections = new Semaphore(options.connections)
  }

  /**
   * Installs a model as it is at its source now. Resumes earlier downloads, and does not fetch files that are
   * present. Never replaces a locally created model.
   * @throws ModelNotFound naming other possible meanings of the name; ModelExists, DownloadFailed, NotAuthorized,
   * ChecksumMismatch, DiskFull, Unsupported, InvalidModelFile; Cancelled, after which the same pull resumes where
   * it stopped
   */
  async pull(options: PullOptions): Promise<ModelSummary> {
    try {
      return await this.#pull(options)
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

  async #pull(options: PullOptions): Promise<ModelSummary> {
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
      const plan = await this.#plan(model, { ...context, patience: impatient(context.patience) })
      const kept = await this.#kept(plan, onlyMissing)
      if (kept !== undefined) return kept
      for (const text of plan.notes) onEvent({ type: "note", text })
      try {
        return await this.#carryOut(plan, context, options)
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
   * Verifies the files of an installed model, and downloads the damaged ones again.
   * @returns the names of the damaged files
   * @throws ModelNotFound; InvalidRequest for a model without a source; otherwise as {@link pull}
   */
  async repair({ model, isInsecure = false, signal, onEvent }: PullOptions): Promise<readonly string[]> {
    const { store } = this.#options
    const { name } = await store.resolve(model)
    const manifest = await store.manifest(name)
    if (manifest === undefined) {
      throw new InvalidRequest(
        `'${name}' was put there by hand, so there are no checksums to verify it with`,
        "model",
      )
    }
    onEvent({ type: "status", status: "verifying sha256 digest" })
    try {
      const damaged = await findDamage(store, name, { isHasty: false, signal })
      for (const file of damaged) onEvent({ type: "note", text: `${file.name} is damaged` })
      if (damaged.length > 0) {
        await this.#replace(name, manifest, damaged, { context: this.#context(isInsecure, signal), onEvent })
      }
      onEvent({ type: "status", status: "success" })
      return damaged.map((file) => file.name)
    } catch (error) {
      throw signal.aborted ? new Cancelled() : store.explain(error)
    }
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

  async #replace(
    name: string,
    manifest: Manifest,
    damaged: readonly ManifestFile[],
    { context, onEvent }: Pick<PullOptions, "onEvent"> & { readonly context: SourceContext },
  ): Promise<void> {
    const { store } = this.#options
    const plan = await this.#planOf(name, manifest, context)
    const files = damaged.map((file) => {
      const same = plan.files.find(({ remote }) => remote.digest === file.digest)
      const planned =
        same ?? plan.files.find((each) => each.name === file.name && each.remote.digest === undefined)
      if (planned !== undefined) return { ...planned, remote: { ...planned.remote, digest: file.digest } }
      throw new DownloadFailed(
        file.name,
        `its source has another version now; 'xllm pull ${name}' downloads it`,
      )
    })
    await using _held = await store.blobs.hold(damaged.map(({ digest }) => digest))
    for (const { digest } of damaged) await rm(store.blobs.pathOf(digest), { force: true })
    await this.#fetchAll({ files }, context, onEvent)
    // Assembles multi-file models again.
    const mayReplace = (occupant: Occupant) =>
      occupant !== "unreadable" && manifestId(occupant) === manifestId(manifest)
    await store.install(parseModelName(name), manifest, { mayReplace })
  }

  /** The source's current plan; on Hugging Face that of the installed revision, where it still exists. */
  async #planOf(name: string, { source }: Manifest, context: SourceContext): Promise<PullPlan> {
    if (source?.type === "url") return await planUrlPull(source.reference, context)
    if (source?.type === "ollama") return await planRegistryPull(parseModelName(source.reference), context)
    if (source?.type === "huggingface") {
      return await planHubPull(parseModelName(source.reference), context, source.revision)
    }
    const origin = source === undefined ? "" : ` (${source.type})`
    throw new InvalidRequest(`'${name}' was not downloaded${origin}: it cannot be repaired`, "model")
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

  async #plan(model: string, context: SourceContext): Promise<PullPlan> {
    if (isUrl(model)) {
      const onHub = hubNameOfUrl(model)
      return onHub === undefined ? await planUrlPull(model, context) : await planHubPull(onHub, context)
    }
    const name = parseModelName(model)
    try {
      return await (name.host === HUGGING_FACE_HOST
        ? planHubPull(name, context)
        : planRegistryPull(name, context))
    } catch (error) {
      throw error instanceof ModelNotFound ? withForms(error, model, name) : error
    }
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
    { onlyMissing = false, onEvent }: PullOptions,
  ): Promise<ModelSummary> {
    const { store } = this.#options
    const { blobs } = store
    const declared = plan.files.flatMap(({ remote }) => remote.digest ?? [])
    await using _held = await blobs.hold(declared)
    await this.#checkSpace(plan)
    const signatures = await this.#fetchSignatures(plan, context)
    const files = await this.#fetchAll(plan, context, onEvent)
    // Includes the digests that the sources did not declare.
    await using _all = await blobs.hold(files.map(({ digest }) => digest))
    onEvent({ type: "status", status: "verifying sha256 digest" })
    await this.#checkSignatures(signatures, files, onEvent)
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

  async #checkSpace({ files }: PullPlan): Promise<void> {
    const { blobs } = this.#options.store
    const missing = new Map<string, number>()
    for (const { remote } of files) {
      const { digest, sizeBytes = 0 } = remote
      if (digest !== undefined && (await blobs.has(digest))) continue
      const key = partialKey(remote)
      missing.set(key, sizeBytes - (await partialBytes(blobs.partialFolder, key)))
    }
    const neededBytes = [...missing.values()].reduce((sum, bytes) => sum + bytes, 0)
    await checkDiskSpace(blobs.partialFolder, neededBytes)
  }

  async #fetchAll(
    { files }: Pick<PullPlan, "files">,
    context: SourceContext,
    onEvent: PullOptions["onEvent"],
  ): Promise<readonly ManifestFile[]> {
    const tell = ({ remote, name }: PlannedFile, completed: number, total: number | undefined) =>
      onEvent({ type: "progress", ...namesOf(remote, name), files: files.length, total, completed })
    for (const file of files) tell(file, 0, file.remote.sizeBytes)
    const stop = new AbortController()
    const signal = AbortSignal.any([context.signal, stop.signal])
    const places = new Semaphore(FILES_AT_ONCE)
    const fetches = files.map(async (file): Promise<ManifestFile> => {
      using _place = await places.acquire(signal)
      const onProgress = (completed: number, total: number | undefined) => tell(file, completed, total)
      const blob = await this.#fetch(file, { ...context, signal }, { onEvent, onProgress })
      return { name: file.name, role: file.role, ...blob }
    })
    // The first failure ends all; all are awaited, so that none is still writing.
    const settled = await Promise.allSettled(
      fetches.map((fetch) =>
        fetch.catch((error: unknown) => {
          stop.abort(error)
          throw error
        }),
      ),
    )
    if (stop.signal.aborted) throw stop.signal.reason
    return settled.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []))
  }

  async #fetch(
    { remote, name, inspect }: PlannedFile,
    context: SourceContext,
    { onEvent, onProgress }: Pick<PullOptions, "onEvent"> & Pick<FetchOptions, "onProgress">,
  ): Promise<Blob> {
    const note = (text: string) => onEvent({ type: "note", text })
    let hasWaited = false
    return await fetchBlob(remote, {
      blobs: this.#options.store.blobs,
      client: context.client,
      connections: this.#connections,
      mostConnections: this.#options.connections,
      patience: context.patience,
      signal: context.signal,
      onProgress,
      inspect,
      onWait: () => {
        if (!hasWaited) note(`${name} is already being downloaded; waiting for it`)
        hasWaited = true
      },
      onNote: note,
    })
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

function namesOf(remote: RemoteFile, name: string) {
  const { digest } = remote
  const short = digest?.slice("sha256:".length, "sha256:".length + 12)
  return { id: partialKey(remote), status: `pulling ${short ?? name}`, digest }
}

/** A user waits for the first response: whether a model exists is found out soon or not at all. */
function impatient(patience: Patience): Patience {
  return { ...patience, attempts: Math.min(patience.attempts, 3) }
}

/** Nothing is guessed: the error shows the spelling for the other sources. */
function withForms(
  error: ModelNotFound,
  model: string,
  { host, namespace, model: base, tag }: ModelName,
): ModelNotFound {
  const path = `${namespace}/${base}:${tag}`
  const isLibrary = host === OLLAMA_HOST && namespace === "library"
  const tried =
    host === HUGGING_FACE_HOST ? `hf:${path}` : host === OLLAMA_HOST ? `ollama:${path}` : `${host}/${path}`
  const others = isLibrary
    ? [`hf:NAMESPACE/${base}:${tag}`, `ollama:NAMESPACE/${base}:${tag}`]
    : [`hf:${path}`, `ollama:${path}`].filter((form) => form !== tried)
  const reason = error.message.replace(/^.*? not found/s, "")
  return new ModelNotFound(
    model,
    `${reason}; '${tried}' was tried; other places are named ${others.join(" or ")}`,
  )
}
