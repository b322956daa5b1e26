import { isDiskFull } from "../lib/system/disk-full"
import { systemCode, systemPath } from "../lib/system/system-reason"
import { withoutPaths } from "../lib/text/without-paths"
import { inGigabytes, reasonOf, XllmError } from "./base"

/** A download cannot continue; the received part is kept, and the same command resumes it. */
export class DownloadFailed extends XllmError {
  constructor(what: string, reason: string, cause?: unknown) {
    super("download_failed", 502, `${what} cannot be downloaded: ${reason}`, { cause })
  }
}

/** A download was cancelled. */
export class PullCancelled extends XllmError {
  constructor(models: string) {
    super("cancelled", 499, `stopped; what was downloaded is kept, and 'xllm pull ${models}' resumes it`)
  }
}

/** A source requires authentication, or denies access. */
export class NotAuthorized extends XllmError {
  constructor(what: string, reason: string, cause?: unknown) {
    super("not_authorized", 403, `access to ${what} was denied: ${reason}`, { cause })
  }
}

/** The received data does not match what its source declares, and was deleted. */
export class ChecksumMismatch extends XllmError {
  constructor(what: string, declared: string, actual: string) {
    super(
      "checksum_mismatch",
      502,
      `${what} is damaged or not what its source declares: its checksum is ${actual}, not ${declared}; it was deleted`,
      { details: { declared, actual } },
    )
  }
}

/** A file that must be signed is unsigned, or signed by an untrusted key. */
export class SignatureRefused extends XllmError {
  constructor(what: string, reason: string) {
    super("signature_refused", 403, `${what} is refused: ${reason}`)
  }
}

/** A key to be trusted is not a public key. */
export class InvalidKey extends XllmError {
  /** `from`: the file's name in messages. */
  constructor(from: string, reason: string, cause?: unknown) {
    super("invalid_key", 400, `${from} has no readable OpenPGP public key: ${reason}`, { cause })
  }
}

export class KeyNotFound extends XllmError {
  constructor(id: string, isAmbiguous: boolean) {
    const reason = isAmbiguous ? "several trusted keys end with" : "no trusted key ends with"
    super("key_not_found", 404, `${reason} '${id}'; 'xllm keys list' shows them`)
  }
}

/** Another process has been changing the models folder for longer than any change takes. */
export class StoreBusy extends XllmError {
  constructor(folder: string) {
    super("store_busy", 503, `another process is changing the models in ${folder}; try again later`, {
      retryAfterSeconds: 5,
    })
  }
}

/** The models folder is not writable. */
export class ModelsFolderUnwritable extends XllmError {
  constructor(folder: string, cause: unknown) {
    // Creating a folder where a file exists fails with EEXIST.
    const isFile = systemCode(cause) === "EEXIST" && systemPath(cause) === folder
    const reason = isFile ? "it is not a folder" : reasonOf(cause)
    super(
      "models_folder_unwritable",
      500,
      `cannot write to the models directory ${folder}: ${reason}; make it writable, or choose another one ` +
        "with --models-dir",
      { cause },
    )
  }
}

/** A model's manifest that this version cannot use. */
export class InvalidManifest extends XllmError {
  constructor(reason: string, cause?: unknown) {
    super("invalid_manifest", 400, `invalid manifest: ${reason}`, { cause })
  }
}

/** A file that a command should write, read or delete, and cannot. */
export class FileFailed extends XllmError {
  /** `what`: as in "write" */
  constructor(what: string, path: string, cause: unknown) {
    const [code, status] = isDiskFull(cause) ? (["disk_full", 507] as const) : (["file_failed", 400] as const)
    const message = `cannot ${what} ${path}: ${reasonOf(cause)}`
    // Also thrown where a server reads its own files.
    super(code, status, message, { cause, publicMessage: withoutPaths(message) })
  }
}

/** A disk, or a file size limit, is too small for what is written. */
export class DiskFull extends XllmError {
  /** `space`: found before anything was written; undefined: it ran out during a download, with `cause`. */
  constructor(
    folder: string,
    space: { readonly neededBytes: number; readonly freeBytes: number } | undefined,
    cause?: unknown,
  ) {
    if (space === undefined) {
      const advice = "what was downloaded is kept: free some space, and run the same command again"
      super("disk_full", 507, `no disk space left in ${folder}; ${advice}`, { cause })
      return
    }
    const { neededBytes, freeBytes } = space
    super(
      "disk_full",
      507,
      `not enough disk space in ${folder}: ${inGigabytes(neededBytes)} needed, ${inGigabytes(freeBytes)} free`,
      { details: { needed_bytes: neededBytes, free_bytes: freeBytes } },
    )
  }
}

/** An archive that `export` did not write; nothing was installed from it. */
export class InvalidArchive extends XllmError {
  constructor(archive: string, reason: string) {
    super("invalid_archive", 400, `${archive} cannot be imported: ${reason}; nothing was installed`)
  }
}

/** A model whose files are missing, or no longer present, was to be installed. */
export class BlobMissing extends XllmError {
  constructor(model: string, digests: readonly string[]) {
    super("blob_missing", 409, `model '${model}' cannot be installed: ${digests.join(", ")} is missing`, {
      details: { digests },
    })
  }
}
