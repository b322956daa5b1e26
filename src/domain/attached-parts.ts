import type { AppliedAdapter } from "./adapters"

/** What a file attached to a model's weights is for. */
export type PartRole = "adapter" | "draft" | "projector"

/** A file that belongs to a model besides its weights. */
export interface AttachedPart {
  readonly role: PartRole
  /** The file's original name, for messages and lists. */
  readonly name: string
  /** Absolute. */
  readonly path: string
  readonly sizeBytes: number
  /** The same for files of the same content; absent: not known. */
  readonly digest?: string
  /** An adapter's strength; absent: 1. */
  readonly scale?: number
  /** Why it cannot be used, as what follows "it"; it is not loaded then. */
  readonly fault?: string
}

interface RoleRow {
  /** In lists and messages. */
  readonly label: string
  /**
   * Whether workers load parts of this role, so that plans count their bytes. The buffers in which a projector encodes are
   * counted besides.
   */
  readonly isLoaded: boolean
}

/** The roles, and what is done with each. */
export const PART_ROLES: Readonly<Record<PartRole, RoleRow>> = {
  adapter: { label: "adapter", isLoaded: true },
  draft: { label: "draft model", isLoaded: true },
  projector: { label: "projector", isLoaded: true },
}

export function isPartRole(role: string): role is PartRole {
  return Object.hasOwn(PART_ROLES, role)
}

/** Does a worker load it with the model? An adapter with a scale of 0 would have no effect. */
export function isLoaded({
  role,
  scale = 1,
  fault,
}: Pick<AttachedPart, "role" | "scale" | "fault">): boolean {
  return PART_ROLES[role].isLoaded && scale !== 0 && fault === undefined
}

/** An adapter of a model, as it is applied. */
export function adapterOfPart({
  name,
  path,
  sizeBytes,
  digest = path,
  scale = 1,
}: AttachedPart): AppliedAdapter {
  return { name, path, sizeBytes, key: digest, scale }
}

export function bytesOfParts(parts: readonly Pick<AttachedPart, "sizeBytes">[]): number {
  return parts.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
}
