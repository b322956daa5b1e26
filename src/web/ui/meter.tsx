interface MeterProps {
  readonly label: string
  /** From 0 to 1; undefined: unknown. */
  readonly share: number | undefined
}

/** A bar that fills. */
export function Meter({ label, share }: MeterProps) {
  return (
    <progress
      class="progress wide"
      aria-label={label}
      max={1}
      {...(share !== undefined && { value: Math.min(1, Math.max(0, share)) })}
    />
  )
}
