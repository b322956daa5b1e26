import type { ComponentChildren, ButtonHTMLAttributes } from "preact"
import { Icon, type IconName } from "./icons"

interface ButtonProps extends Omit<ButtonHTMLAttributes, "icon"> {
  readonly icon?: IconName
  readonly look?: "plain" | "primary" | "quiet" | "danger"
  readonly children: ComponentChildren
}

export function Button({ icon, look = "plain", children, ...rest }: ButtonProps) {
  return (
    <button type="button" {...rest} class={`button ${look}`}>
      {icon && <Icon name={icon} />}
      <span>{children}</span>
    </button>
  )
}

interface IconButtonProps extends ButtonHTMLAttributes {
  readonly icon: IconName
  /** What it does: the name for screen readers, and shown on hover. */
  readonly label: string
  readonly look?: "quiet" | "primary" | "danger"
}

export function IconButton({ icon, label, look = "quiet", ...rest }: IconButtonProps) {
  return (
    <button type="button" {...rest} class={`icon-button ${look}`} aria-label={label} title={label}>
      <Icon name={icon} />
    </button>
  )
}
