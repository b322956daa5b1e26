import type { ComponentType } from "preact"
import { useEffect, useState } from "preact/hooks"
import { commonTexts } from "../texts/common"
import { Button } from "./button"

/** A component that is fetched when it is first shown. */
export function lazy<P extends object>(load: () => Promise<ComponentType<P>>): ComponentType<P> {
  let loaded: ComponentType<P> | undefined
  return function Lazy(props: P) {
    const [state, setState] = useState<"ready" | "loading" | "failed">(loaded ? "ready" : "loading")
    useEffect(() => {
      if (state !== "loading") return
      load().then(
        (component) => {
          loaded = component
          setState("ready")
        },
        () => setState("failed"),
      )
    }, [state])
    if (loaded !== undefined) {
      const Loaded = loaded
      return <Loaded {...props} />
    }
    if (state === "failed") {
      return (
        <div class="empty">
          <p>{commonTexts.value.viewFailed}</p>
          <Button icon="again" onClick={() => location.reload()}>
            {commonTexts.value.retry}
          </Button>
        </div>
      )
    }
    return <p class="empty">{commonTexts.value.loading}</p>
  }
}
