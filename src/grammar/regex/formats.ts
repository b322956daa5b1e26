/**
 * The formats of JSON Schema as regular expressions (validation 2020-12, section 7.3, and the RFCs named there).
 * Where a format allows unusual texts as well, only its common forms.
 */
const YEAR = "[0-9]{4}"

/** Divisible by 4, but of the centuries only every fourth. */
const LEAP_YEAR = "(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)"

const DATE =
  `(?:${YEAR}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|` +
  `02-(?:0[1-9]|1[0-9]|2[0-8]))|${LEAP_YEAR}-02-29)`

const CLOCK = "(?:[01][0-9]|2[0-3]):[0-5][0-9]"

const TIME = `${CLOCK}:[0-5][0-9](?:\\.[0-9]{1,9})?(?:Z|[+-]${CLOCK})`

/** Years, months and days, then a time; or weeks (RFC 3339, appendix A). */
const CLOCK_DURATION =
  "T(?:[0-9]{1,9}H(?:[0-9]{1,9}M(?:[0-9]{1,9}S)?)?|[0-9]{1,9}M(?:[0-9]{1,9}S)?|[0-9]{1,9}S)"
const DAY_DURATION = "(?:[0-9]{1,9}Y(?:[0-9]{1,9}M(?:[0-9]{1,9}D)?)?|[0-9]{1,9}M(?:[0-9]{1,9}D)?|[0-9]{1,9}D)"
const DURATION = `P(?:${DAY_DURATION}(?:${CLOCK_DURATION})?|${CLOCK_DURATION}|[0-9]{1,9}W)`

const LABEL = "[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"

/** At most 253 characters, so at most three long labels; the rest stays below that as well. */
const HOSTNAME = `${LABEL}(?:\\.${LABEL}){0,2}`

const DOMAIN = `${LABEL}(?:\\.${LABEL}){1,2}`

const EMAIL = `[a-zA-Z0-9_+-]{1,30}(?:\\.[a-zA-Z0-9_+-]{1,30}){0,1}@${DOMAIN}`

const OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9][0-9]|[0-9])"

const IPV4 = `${OCTET}(?:\\.${OCTET}){3}`

const GROUP = "[0-9a-fA-F]{1,4}"

/** Eight groups, or fewer with one `::` among them (RFC 4291, section 2.2). */
const IPV6 = [
  `(?:${GROUP}:){7}${GROUP}`,
  ...Array.from({ length: 7 }, (_, before) => {
    const head = before === 0 ? "" : `${GROUP}(?::${GROUP}){${before - 1}}`
    const most = 6 - before
    return most === 0 ? `${head}::(?:${GROUP})?` : `${head}::(?:${GROUP}(?::${GROUP}){0,${most}})?`
  }),
]

const UUID = "[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"

const URI_CHARACTER = "[a-zA-Z0-9._~!$&'()*+,;=:@-]"

const URI =
  `[a-z][a-z0-9+.-]{0,15}://${HOSTNAME}(?::[0-9]{1,5})?(?:/${URI_CHARACTER}{0,60}){0,8}` +
  `(?:\\?(?:${URI_CHARACTER}|/){0,200})?(?:#(?:${URI_CHARACTER}|/){0,100})?`

/** By name; each matches a whole text. */
export const FORMATS: Readonly<Record<string, string>> = {
  date: DATE,
  time: TIME,
  "date-time": `${DATE}T${TIME}`,
  duration: DURATION,
  email: EMAIL,
  hostname: HOSTNAME,
  ipv4: IPV4,
  ipv6: `(?:${IPV6.join("|")})`,
  uuid: UUID,
  uri: URI,
}
