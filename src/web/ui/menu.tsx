import type { ComponentChildren } from "preact"
import { useEffect, useId, useRef, useState } from "preact/hooks"
import { Icon, type IconName } from "./icons"

export interface MenuItem {
  readonly label: string
  readonly icon?: IconName
  readonly isDangerous?: boolean
  run(): void
}

interface MenuProps {
  readonly label: string
  readonly items: readonly MenuItem[]
  readonly children: ComponentChildren
  readonly class?: string
}

/** A button that opens a list of actions; arrows move in it, Escape closes it. */
export function Menu({ label, items, children, class: name = "icon-button quiet" }: MenuProps) {
  const [isOpen, open] = useState(false)
  const root = useRef<HTMLDivElement>(null)
  const id = useId()
  useEffect(() => {
    if (!isOpen) return
    const list = root.current?.querySelector<HTMLElement>("[role=menu]")
    list?.querySelector("button")?.focus()
    const leave = (event: PointerEvent) => {
      if (event.target instanceof Node && root.current?.contains(event.target) !== true) open(false)
    }
    document.addEventListener("pointerdown", leave)
    return () => document.removeEventListener("pointerdown", leave)
  }, [isOpen])
  const close = () => {
    open(false)
    root.current?.querySelector("button")?.focus()
  }
  return (
    <div
      class="menu"
      ref={root}
      onKeyDown={(event) => {
        if (!isOpen) return
        if (event.key === "Escape") {
          event.stopPropagation()
          close()
        } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
          event.preventDefault()
          move(root.current, event.key === "ArrowDown" ? 1 : -1)
        } else if (event.key === "Tab") open(false)
      }}
    >
      <button
        type="button"
        class={name}
        aria-label={label}
        title={label}
        aria-haspopup="menu"
        aria-expanded={isOpen}
        aria-controls={isOpen ? id : undefined}
        onClick={() => open(!isOpen)}
      >
        {children}
      </button>
      {isOpen && (
        <div class="menu-list" role="menu" id={id} aria-label={label}>
          {items.map((item) => (
            <button
              key={item.label}
              type="button"
              role="menuitem"
              tabIndex={-1}
              class={item.isDangerous === true ? "danger" : ""}
              onClick={() => {
                close()
                item.run()
              }}
            >
              {item.icon && <Icon name={item.icon} />}
              <span>{item.label}</span>
            </button>
          ))}
        </div>
      )}
    </div>
  )
}

function move(root: HTMLElement | null, by: number): void {
  const all = [...(root?.querySelectorAll<HTMLElement>("[role=menuitem]") ?? [])]
  const at = all.findIndex((each) => each === document.activeElement)
  all[(at + by + all.length) % all.length]?.focus()
}
