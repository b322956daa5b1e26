import type { ComponentChildren } from "preact"

interface PageProps {
  readonly title: string
  /** Beside the title: the view's main actions. */
  readonly actions?: ComponentChildren
  readonly children: ComponentChildren
}

/** A view with a title that scrolls as a whole. */
export function Page({ title, actions, children }: PageProps) {
  return (
    <div class="page">
      <header class="page-head">
        <h1>{title}</h1>
        {actions !== undefined && <div class="page-actions">{actions}</div>}
      </header>
      {children}
    </div>
  )
}
