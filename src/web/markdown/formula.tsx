import { useLayoutEffect, useRef } from "preact/hooks"

interface FormulaProps {
  readonly source: string
  readonly isDisplayed: boolean
}

/** A formula as MathML. Until the library is there, and where it cannot read the formula, its source. */
export function Formula({ source, isDisplayed }: FormulaProps) {
  const place = useRef<HTMLSpanElement>(null)
  useLayoutEffect(() => {
    const element = place.current
    if (element === null) return
    let isGone = false
    element.textContent = source
    import("temml").then(
      ({ default: temml }) => {
        if (isGone) return
        try {
          temml.render(source, element, { displayMode: isDisplayed, ...LIMITS })
        } catch {
          element.textContent = source
        }
      },
      () => {},
    )
    return () => {
      isGone = true
    }
  }, [source, isDisplayed])
  return <span class={isDisplayed ? "formula displayed" : "formula"} ref={place} />
}

const LIMITS = { trust: false, maxExpand: 100, throwOnError: true } as const
