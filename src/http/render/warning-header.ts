/** The value of `X-Warning`, for answers that have no other place for warnings. */
export function toWarningHeader(warnings: readonly string[]): string {
  // A header's value has no other characters (RFC 9110, 5.5).
  return warnings.map((text) => text.replace(/[^ -~]/g, "?")).join("; ")
}
