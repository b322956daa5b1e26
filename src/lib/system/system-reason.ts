/**
 * Explanations of error codes of the system and of libraries, to follow "cannot read FILE: ". The path is in the
 * sentence before them.
 */
const REASONS: Readonly<Record<string, string>> = {
  // Paths.
  ENOENT: "no such file or folder",
  ENOTDIR: "a part of the path is a file, not a folder",
  EISDIR: "it is a folder, not a file",
  ENAMETOOLONG: "the name is too long",
  ELOOP: "its links form a loop",
  EEXIST: "a file of that name already exists",
  ENOTEMPTY: "the folder is not empty",
  EXDEV: "it is on another file system",
  EINVAL: "the system does not accept it",
  ENODEV: "no such device",
  ENXIO: "nothing answers at the other end",
  ESPIPE: "it is a pipe, not a file",
  ENOTSUP: "the file system does not support it",
  EOPNOTSUPP: "the file system does not support it",
  ENOSYS: "the file system does not support it",
  ESTALE: "the network file system has lost it",
  // Rights.
  EACCES: "permission denied",
  EPERM: "the operation is not permitted",
  EROFS: "the file system is read-only",
  EBUSY: "it is in use",
  ETXTBSY: "it is a running program",
  // Space and limits.
  ENOSPC: "no space left on the disk",
  EDQUOT: "the disk quota is used up",
  EFBIG: "the file would be larger than allowed",
  EMFILE: "too many files are open in this process",
  ENFILE: "too many files are open on this machine",
  ENOMEM: "out of memory",
  EAGAIN: "a resource is used up for the moment; try again",
  EIO: "the disk or device reports an error",
  // Connections.
  ECONNREFUSED: "nothing listens there",
  ECONNRESET: "the connection was closed early",
  ECONNABORTED: "the connection was closed early",
  EPIPE: "the other end has closed the connection",
  ETIMEDOUT: "no answer in time",
  EHOSTUNREACH: "the host cannot be reached",
  EHOSTDOWN: "the host cannot be reached",
  ENETUNREACH: "the network cannot be reached",
  ENETDOWN: "the network cannot be reached",
  ENOTFOUND: "unknown host",
  EAI_AGAIN: "the host name could not be resolved",
  EAI_FAIL: "the host name could not be resolved",
  EADDRINUSE: "the address is in use",
  EADDRNOTAVAIL: "this machine does not have that address",
  EPROTO: "the TLS handshake failed; perhaps the server speaks plain HTTP",
  // The runtime's own, which have no number.
  ERR_INVALID_ARG_VALUE: "it is not a valid path or address",
  ERR_INVALID_URL: "it is not a valid URL",
  ABORT_ERR: "it was stopped",
  ConnectionRefused: "nothing listens there",
  ConnectionClosed: "the connection was closed early",
  FailedToOpenSocket: "the connection could not be opened",
  Timeout: "no answer in time",
  ZlibError: "the compressed data is damaged",
  Z_DATA_ERROR: "the compressed data is damaged",
  Z_BUF_ERROR: "the compressed data is cut short",
  DEPTH_ZERO_SELF_SIGNED_CERT: "its certificate is self-signed",
  SELF_SIGNED_CERT_IN_CHAIN: "its certificate is self-signed",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "its certificate cannot be verified",
  UNABLE_TO_GET_ISSUER_CERT: "its certificate cannot be verified",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "its certificate cannot be verified",
  CERT_HAS_EXPIRED: "its certificate has expired",
  CERT_NOT_YET_VALID: "its certificate is not valid yet",
  ERR_TLS_CERT_ALTNAME_INVALID: "its certificate is for another host",
}

/** The error code set by the system or a library; `undefined` where there is none. */
export function systemCode(error: unknown): string | undefined {
  const code = error instanceof Error && "code" in error ? error.code : undefined
  return typeof code === "string" && code !== "" ? code : undefined
}

/** The file or folder that a system error concerns; `undefined` where it names none. */
export function systemPath(error: unknown): string | undefined {
  const path = error instanceof Error && "path" in error ? error.path : undefined
  return typeof path === "string" && path !== "" ? path : undefined
}

/** A system error explained; `undefined` for an unknown code. */
export function systemReason(error: unknown): string | undefined {
  const code = systemCode(error)
  // When listing a folder, the error is about the path itself.
  if (code === "ENOTDIR" && isOfListing(error)) return "it is not a folder"
  return code !== undefined && Object.hasOwn(REASONS, code) ? REASONS[code] : undefined
}

function isOfListing(error: unknown): boolean {
  return error instanceof Error && "syscall" in error && error.syscall === "scandir"
}
