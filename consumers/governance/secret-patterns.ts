import { isLocalHost } from './hosts.ts'
import { isReference } from './secret-names.ts'

export type SecretMatch = { what: string; value: string; certain: boolean }

// Forms that the issuers publish. Each starts with a fixed text and is bounded.
const ISSUED: { what: string; pattern: RegExp }[] = [
  { what: 'AWS access key id', pattern: /\b(?:AKIA|ASIA)[A-Z0-9]{16}\b/g },
  { what: 'GitHub token', pattern: /\b(?:gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{50,255})\b/g },
  { what: 'GitLab token', pattern: /\bgl(?:pat|ptt|rt)-[A-Za-z0-9_-]{20,64}\b/g },
  { what: 'Slack token', pattern: /\bxox[abposr]-[A-Za-z0-9-]{10,250}\b/g },
  {
    what: 'Slack webhook',
    pattern: /\bhooks\.slack\.com\/services\/T[A-Z0-9]{8,12}\/B[A-Z0-9]{8,12}\/[A-Za-z0-9]{20,30}\b/g,
  },
  { what: 'Stripe key', pattern: /\b[sr]k_(?:live|test)_[A-Za-z0-9]{20,120}\b/g },
  { what: 'Google API key', pattern: /\bAIza[A-Za-z0-9_-]{35}\b/g },
  { what: 'npm token', pattern: /\bnpm_[A-Za-z0-9]{36}\b/g },
  { what: 'PyPI token', pattern: /\bpypi-AgE[A-Za-z0-9_-]{50,500}\b/g },
  { what: 'SendGrid key', pattern: /\bSG\.[A-Za-z0-9_-]{20,24}\.[A-Za-z0-9_-]{39,50}\b/g },
  { what: 'Vault token', pattern: /\bhv[sb]\.[A-Za-z0-9_-]{24,300}\b/g },
  { what: 'Hugging Face token', pattern: /\bhf_[A-Za-z0-9]{34,40}\b/g },
  { what: 'DigitalOcean token', pattern: /\bdop_v1_[a-f0-9]{64}\b/g },
  { what: 'OpenAI key', pattern: /\bsk-(?:proj-|svcacct-)?[A-Za-z0-9_-]{40,200}\b/g },
  { what: 'Azure storage key', pattern: /\bAccountKey=[A-Za-z0-9+/]{86}==/g },
  { what: 'Telegram bot token', pattern: /\b\d{8,10}:AA[A-Za-z0-9_-]{33}\b/g },
  { what: 'Twilio key', pattern: /\bSK[0-9a-f]{32}\b/g },
  { what: 'Mailgun key', pattern: /\bkey-[0-9a-f]{32}\b/g },
  { what: 'Shopify token', pattern: /\bshp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}\b/g },
  { what: 'Square token', pattern: /\b(?:sq0(?:csp|atp|idp)-[A-Za-z0-9_-]{22,43}|EAAA[A-Za-z0-9_-]{60})\b/g },
  { what: 'New Relic key', pattern: /\bNR(?:AK|JS|II|RA)-[A-Za-z0-9_-]{19,32}\b/g },
  { what: 'Linear key', pattern: /\blin_(?:api|oauth)_[A-Za-z0-9]{32,64}\b/g },
  { what: 'Grafana token', pattern: /\bgl(?:sa_[A-Za-z0-9]{32}_[0-9a-fA-F]{8}|c_[A-Za-z0-9+/=]{32,400})/g },
  { what: 'Doppler token', pattern: /\bdp\.(?:pt|st|ct|sa|scim|audit)\.[A-Za-z0-9_-]{40,60}\b/g },
  { what: 'Postman key', pattern: /\bPMAK-[0-9a-fA-F]{24}-[0-9a-fA-F]{34}\b/g },
  { what: 'Databricks token', pattern: /\bdapi[0-9a-f]{32}(?:-\d)?\b/g },
  { what: 'Atlassian token', pattern: /\bATATT3[A-Za-z0-9_=-]{100,250}/g },
  { what: 'PlanetScale token', pattern: /\bpscale_(?:tkn|oauth|pw)_[A-Za-z0-9_=.-]{32,64}/g },
  { what: 'Pulumi token', pattern: /\bpul-[0-9a-f]{40}\b/g },
  { what: 'RubyGems key', pattern: /\brubygems_[0-9a-f]{48}\b/g },
  { what: 'Sentry token', pattern: /\bsntry[su]_[A-Za-z0-9+/=_-]{40,400}/g },
  { what: 'Terraform token', pattern: /\b[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_=-]{60,70}/g },
  { what: 'Alibaba key id', pattern: /\bLTAI[A-Za-z0-9]{17,21}\b/g },
  { what: 'Fly token', pattern: /\bfo1_[A-Za-z0-9_-]{43}\b/g },
  { what: 'age key', pattern: /\bAGE-SECRET-KEY-1[0-9A-Z]{58}\b/g },
  { what: 'Dynatrace token', pattern: /\bdt0c01\.[A-Z0-9]{24}\.[A-Z0-9]{64}\b/g },
  { what: 'Docker token', pattern: /\bdckr_(?:pat|oat)_[A-Za-z0-9_-]{20,40}\b/g },
  { what: 'Heroku key', pattern: /\bHRKU-[A-Za-z0-9_-]{36,60}\b/g },
  { what: 'Figma token', pattern: /\bfigd_[A-Za-z0-9_-]{36,48}\b/g },
  { what: 'Notion token', pattern: /\b(?:ntn_[A-Za-z0-9]{40,50}|secret_[A-Za-z0-9]{43})\b/g },
  { what: 'Supabase token', pattern: /\bsb(?:p_[0-9a-f]{40}|_secret_[A-Za-z0-9_-]{20,60})\b/g },
  { what: 'Google client secret', pattern: /\bGOCSPX-[A-Za-z0-9_-]{28}\b/g },
  { what: 'Google login token', pattern: /\bya29\.[A-Za-z0-9_-]{30,400}/g },
  { what: 'HubSpot token', pattern: /\bpat-(?:na|eu)\d-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/gi },
  { what: 'Vercel token', pattern: /\bvc[pkiar]_[A-Za-z0-9]{40,64}\b/g },
  { what: 'Airtable token', pattern: /\bpat[A-Za-z0-9]{14}\.[0-9a-f]{64}\b/g },
  { what: 'Discord token', pattern: /\b[MNO][A-Za-z\d_-]{23,25}\.[\w-]{6}\.[\w-]{27,38}\b/g },
  { what: 'Discord webhook', pattern: /\bdiscord(?:app)?\.com\/api\/webhooks\/\d{17,20}\/[A-Za-z0-9_-]{60,80}/g },
  { what: 'Slack app token', pattern: /\bxapp-\d-[A-Z0-9]{8,14}-\d{8,16}-[a-z0-9]{40,80}\b/g },
  { what: 'Flutterwave or EasyPost key', pattern: /\b(?:FLWSECK(?:_TEST)?-[0-9a-f]{32}-X|EZ[AT]K[A-Za-z0-9]{54})\b/g },
  {
    what: 'service key',
    pattern: /\b(?:tk-us-[\w-]{48}|pnu_[A-Za-z0-9]{36}|rdme_[a-z0-9]{70})\b/g,
  },
  { what: 'Facebook token', pattern: /\bEAA[MC]?[A-Za-z0-9]{100,250}\b/g },
  { what: 'Azure client secret', pattern: /(?<![\w~.-])[A-Za-z0-9_~.]{3}\dQ~[A-Za-z0-9_~.-]{31,34}(?![\w~.-])/g },
  { what: 'private key', pattern: /-----BEGIN [A-Z ]{0,20}PRIVATE KEY-----\s{0,4}(?:\\n)?[A-Za-z0-9+/=\s\\]{40,200}/g },
  {
    what: 'signed token (JWT)',
    pattern: /\beyJ[A-Za-z0-9_-]{10,1000}\.eyJ[A-Za-z0-9_-]{10,2000}\.[A-Za-z0-9_-]{20,1000}/g,
  },
]
const MAY_HOLD =
  /AKIA|ASIA|gh[pousr]_|github_pat_|gl(?:pat|ptt|rt|sa_|c_)|xox[abposr]-|xapp-|hooks\.slack|[sr]k_(?:live|test)_|AIza|npm_|pypi-|SG\.|hv[sb]\.|hf_|dop_v1_|sk-|AccountKey=|:AA|PRIVATE KEY|eyJ|SK[0-9a-f]{8}|key-[0-9a-f]{8}|shp|sq0|EAA|NR[AJI]|lin_|dp\.|PMAK-|dapi|ATATT3|pscale_|pul-|rubygems_|sntry|\.atlasv1\.|LTAI|fo1_|AGE-SECRET|dt0c01|dckr_|HRKU-|figd_|ntn_|secret_|sb(?:p|_secret)_|GOCSPX-|ya29\.|pat-(?:na|eu)|vc[pkiar]_|pat[A-Za-z0-9]{14}\.|\.[\w-]{6}\.|discord(?:app)?\.com|FLWSECK|EZ[AT]K|tk-us-|pnu_|rdme_|Q~/i
const LOGIN_IN_URL = /\b[a-z][a-z0-9+.-]{1,15}:\/\/([^\s:/?#@'"]{1,100}):([^\s/?#@'"]{4,200})@([^\s/?#:'"]{1,253})/gi
const STAND_IN =
  /example|change.?me|your|sample|replace|redacted|xxxx|\*{3}|\.{3}|insert|<|>|not.?a.?real|fake|default|(.)\1{5}/i
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

/** Secrets recognisable by their own form, and logins inside URLs of hosts that are not local. */
export function issuedSecrets(text: string): SecretMatch[] {
  const found: SecretMatch[] = []
  // No issuer's form is shorter, and each shows one of these signs: most texts are done with one look.
  for (const { what, pattern } of text.length < 16 || !MAY_HOLD.test(text) ? [] : ISSUED) {
    for (const match of text.matchAll(pattern)) {
      if (!STAND_IN.test(match[0])) found.push({ what, value: match[0], certain: true })
      if (found.length >= 20) return found
    }
  }
  for (const [, , password = '', host = ''] of text.matchAll(LOGIN_IN_URL)) {
    if (
      isReference(password) ||
      STAND_IN.test(password) ||
      isLocalHost(host.toLowerCase()) ||
      found.some(({ value }) => value === password)
    )
      continue
    found.push({ what: 'password in a URL', value: password, certain: false })
    if (found.length >= 20) return found
  }
  return found
}

/**
 * How much a value under a secret's name looks like the secret itself: `strong` for random text, `weak` for a short
 * password in clear, null for references, ids, plain words and stand-ins.
 */
export function secretStrength(value: string): 'strong' | 'weak' | null {
  const text = value.trim().replace(/^(?:Bearer|Basic|Token|ApiKey)\s+/i, '')
  if (text.length < 6 || text.length > 4000 || /\s/.test(text) || isReference(text)) return null
  if (STAND_IN.test(text) || UUID.test(text) || /^sha\d{3}:|^https?:/.test(text)) return null
  const digits = /\d/.test(text)
  const mixed = /[a-z]/.test(text) && /[A-Z]/.test(text)
  const longest = text.split(/[-_.:/]/).reduce((best, part) => (part.length > best.length ? part : best), '')
  const random = entropy(longest) >= 3 && longest.length >= 12 && (digits || (mixed && longest.length >= 24))
  if (text.length >= 16 && random) return 'strong'
  return /[A-Za-z]/.test(text) && (digits || /[^\w-]/.test(text)) && text.length <= 40 ? 'weak' : null
}

/** Shannon entropy in bits a character. */
export function entropy(text: string): number {
  const counts = new Map<string, number>()
  for (const char of text) counts.set(char, (counts.get(char) ?? 0) + 1)
  let bits = 0
  for (const count of counts.values()) bits -= (count / text.length) * Math.log2(count / text.length)
  return bits
}
