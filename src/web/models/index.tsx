import { useEffect, useState } from "preact/hooks"
import { getJson } from "../api/client"
import { serverState, useLive } from "../api/live"
import { loadModels } from "../api/models"
import { goTo, route } from "../lib/route"
import { modelsTexts } from "../texts/models"
import { Button } from "../ui/button"
import { Page } from "../ui/page"
import { toast, toastError } from "../ui/toasts"
import { CREATE, ModelfileEditor } from "./editor"
import { ModelPage } from "./model-page"
import { ModelList, type Updates } from "./model-list"
import { PullForm, PullList } from "./pulls"

/** The models on this machine: what there is, downloads, and new ones. */
export function ModelsView() {
  useLive()
  const { detail } = route.value
  if (detail === CREATE || detail.startsWith(`${CREATE}/`))
    return <ModelfileEditor key={detail} from={detail.slice(CREATE.length + 1)} />
  return detail === "" ? <Installed /> : <ModelPage name={detail} />
}

function Installed() {
  const texts = modelsTexts.value
  const [updates, setUpdates] = useState<Updates>({})
  const [isChecking, setChecking] = useState(false)
  const states = serverState.value?.models.map(({ name, state }) => `${name} ${state}`).join()
  // Which of them are loaded has changed.
  useEffect(() => void loadModels().catch(toastError), [states])
  const check = async () => {
    setChecking(true)
    try {
      const { models } = await getJson<{ readonly models: Updates }>("/v0/updates")
      setUpdates(models)
      if (!Object.values(models).some((each) => each !== "current")) toast(texts.upToDate)
    } catch (error) {
      toastError(error)
    }
    setChecking(false)
  }
  return (
    <Page
      title={texts.title}
      actions={
        <>
          <Button icon="again" disabled={isChecking} onClick={check}>
            {isChecking ? texts.checking : texts.checkUpdates}
          </Button>
          <Button icon="plus" onClick={() => goTo("models", CREATE)}>
            {texts.newModel}
          </Button>
        </>
      }
    >
      <PullForm />
      <PullList />
      <ModelList updates={updates} />
    </Page>
  )
}
