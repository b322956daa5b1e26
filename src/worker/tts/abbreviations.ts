/** How a full stop after a word is to be read. */
export interface StopRules {
  /** The full stop never ends a sentence: a title before a name. In lower case, without the full stop. */
  readonly titles: ReadonlySet<string>
  /** It does only before a word that begins sentences. */
  readonly abbreviations: ReadonlySet<string>
  /** As above, but only where a number follows: "No. 5", but "No. Never." */
  readonly beforeNumbers: ReadonlySet<string>
  /** Words that begin a sentence far more often than they are part of a name, as they are written there. */
  readonly starters: ReadonlySet<string>
  /** A full stop makes a number an ordinal: "am 3. Oktober". */
  readonly hasOrdinals: boolean
}

interface Words {
  readonly titles?: string
  readonly abbreviations?: string
  readonly beforeNumbers?: string
  readonly starters?: string
  readonly hasOrdinals?: boolean
}

/** Used with every language: texts in many of them use them. */
const COMMON: Words = {
  titles: "mr mrs ms dr prof st e.g i.e cf vs",
  abbreviations: "etc inc ltd corp co sr jr a.m p.m ph.d ca",
  beforeNumbers: "no nr fig vol p pp art",
}

/** By the first part of a language's name. */
const LANGUAGES: Readonly<Record<string, Words>> = {
  en: {
    titles: "messrs rev hon gen col maj capt lt sgt sen rep gov pres mt ft approx dept est viz",
    abbreviations:
      "bros assn univ ave blvd rd jan feb mar apr jun jul aug sep sept oct nov dec et.al b.c a.d",
    beforeNumbers: "ch sec eq ed nos",
    starters:
      "The A An It He She They We I You This That These Those There Then But And Or In On At For From With As If When While What " +
      "Who Why How Where Yes No Not Now My Our Your His Her Their Its However After Before Please Let Also Because",
  },
  de: {
    titles: "hr fr frl dipl ing bzw z.b d.h u.a i.d.r sog vgl ggf evtl inkl zzgl bspw z.t o.g",
    abbreviations: "usw u.s.w str tel jh mio mrd u.v.m",
    beforeNumbers: "s abb kap bd abs tab",
    starters:
      "Der Die Das Den Dem Ein Eine Einen Es Er Sie Wir Ich Ihr Du Man Dies Diese Dieser Dieses Und Aber Oder Doch Dann Da Dort " +
      "Hier Wenn Als Weil Was Wer Wie Wo Warum Ja Nein Nicht Jetzt Mein Unser Im In Am An Auf Bei Mit Nach Von Für Auch",
    hasOrdinals: true,
  },
  fr: {
    titles: "m mm mme mlle me mgr p.ex",
    abbreviations: "av env s.a",
    beforeNumbers: "chap n éd",
    starters:
      "Le La Les L Un Une Des Il Elle Ils Elles On Nous Vous Je Tu Ce Cette Ces C Et Mais Ou Alors Puis Dans En Sur Pour Avec " +
      "Quand Si Que Qui Où Pourquoi Comment Oui Non",
  },
  es: {
    titles: "sr sra srta dra d dña ud uds lic p.ej",
    abbreviations: "ee.uu s.a av avda",
    beforeNumbers: "núm cap pág págs",
    starters:
      "El La Los Las Un Una Unos Unas Lo Él Ella Ellos Nosotros Yo Tú Usted Esto Este Esta Y Pero O Entonces En Con Por Para " +
      "Cuando Si Que Quién Dónde Sí No",
  },
  it: {
    titles: "sig sigg dott dr.ssa avv arch geom p.es",
    abbreviations: "ecc s.p.a s.r.l",
    beforeNumbers: "n cap pag",
    starters:
      "Il Lo La I Gli Le Un Una Uno È Egli Lui Lei Loro Noi Io Tu Questo Questa E Ma O Poi In Con Per Quando Se Che Chi Sì No",
  },
  pt: {
    titles: "sr sra dra exmo p.ex",
    abbreviations: "s.a ltda av",
    beforeNumbers: "n cap pág",
    starters:
      "O A Os As Um Uma Ele Ela Eles Nós Eu Você Isto Este Esta E Mas Ou Então Em Com Por Para Quando Se Que Quem Sim Não",
  },
  nl: {
    titles: "dhr mevr mw drs ing bijv bv d.w.z o.a m.b.t",
    abbreviations: "enz b.v n.v",
    beforeNumbers: "blz hfst",
    starters:
      "De Het Een Hij Zij Ze Wij We Ik Je Dit Dat Deze En Maar Of Dan Er In Op Met Voor Als Wat Wie Ja Nee",
  },
  sv: {
    titles: "bl.a t.ex d.v.s",
    abbreviations: "osv m.m m.fl",
    starters: "Det Den De En Ett Han Hon Vi Jag Och Men I På",
  },
  da: {
    titles: "bl.a f.eks dvs",
    abbreviations: "osv m.m",
    starters: "Det Den De En Et Han Hun Vi Jeg Og Men I På",
    hasOrdinals: true,
  },
  nb: {
    titles: "bl.a f.eks dvs",
    abbreviations: "osv m.m",
    starters: "Det Den De En Et Han Hun Vi Jeg Og Men I På",
    hasOrdinals: true,
  },
  fi: {
    titles: "esim ns mm",
    abbreviations: "jne",
    starters: "Se Hän He Me Minä Ja Mutta Tämä",
    hasOrdinals: true,
  },
  pl: {
    titles: "np tzw tj mgr inż ks",
    abbreviations: "itd itp r w",
    beforeNumbers: "str nr",
    starters: "To On Ona Oni Ja My I Ale W Na Z",
    hasOrdinals: true,
  },
  cs: {
    titles: "např tzv tj ing mgr",
    abbreviations: "atd apod",
    beforeNumbers: "č str",
    starters: "To On Ona Oni Já My A Ale V Na",
    hasOrdinals: true,
  },
  hu: { titles: "pl ún", abbreviations: "stb", starters: "A Az Ez És De Ő Én", hasOrdinals: true },
  ru: {
    titles: "г-н г-жа им т.е т.к см напр ул д",
    abbreviations: "т.д т.п др руб млн млрд г гг в",
    beforeNumbers: "стр рис гл",
    starters: "Это Он Она Они Мы Я Ты Вы И Но А В На С",
  },
}

/** espeak-ng's other names for a language. */
const ALIASES: Readonly<Record<string, string>> = { no: "nb", nn: "nb", sk: "cs", uk: "ru" }

/** The rules for a language, such as `en-us`. */
export function stopRulesFor(language: string | undefined): StopRules {
  const name = language?.toLowerCase().split(/[-_]/)[0] ?? ""
  const own = LANGUAGES[ALIASES[name] ?? name] ?? {}
  const both = (key: "titles" | "abbreviations" | "beforeNumbers") =>
    new Set([...wordsOf(COMMON[key]), ...wordsOf(own[key])])
  return {
    titles: both("titles"),
    abbreviations: both("abbreviations"),
    beforeNumbers: both("beforeNumbers"),
    starters: new Set(wordsOf(own.starters)),
    hasOrdinals: own.hasOrdinals ?? false,
  }
}

function wordsOf(words = ""): string[] {
  return words.split(" ").filter((word) => word !== "")
}
