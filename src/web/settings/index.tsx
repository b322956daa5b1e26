import { apiKey } from "../api/key"
import { theme } from "../lib/theme"
import { chosenLanguage, LANGUAGES } from "../texts/language"
import { settingsTexts } from "../texts/settings"
import { Button } from "../ui/button"
import { Choice } from "../ui/field"
import { Page } from "../ui/page"

export function SettingsView() {
  const texts = settingsTexts.value
  return (
    <Page title={texts.title}>
      <section class="card">
        <h2>{texts.appearance}</h2>
        <Choice
          label={texts.theme}
          value={theme.value}
          options={[
            { value: "system", label: texts.system },
            { value: "light", label: texts.light },
            { value: "dark", label: texts.dark },
          ]}
          onChange={(value) => (theme.value = value)}
        />
        <Choice
          label={texts.language}
          value={chosenLanguage.value}
          options={[
            { value: "auto", label: texts.automatic },
            { value: "en", label: LANGUAGES.en },
            { value: "ja", label: LANGUAGES.ja },
          ]}
          onChange={(value) => (chosenLanguage.value = value)}
        />
      </section>
      <section class="card">
        <h2>{texts.access}</h2>
        <p>{apiKey.value === undefined ? texts.noKey : texts.keyInUse}</p>
        {apiKey.value !== undefined && (
          <Button icon="trash" onClick={() => (apiKey.value = undefined)}>
            {texts.forgetKey}
          </Button>
        )}
      </section>
    </Page>
  )
}
