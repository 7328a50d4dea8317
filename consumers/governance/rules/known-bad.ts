/** Published advisories of actions: up to which version (exclusive) a tag is affected. `all` means every tag. */
export const BAD_ACTIONS: readonly { action: RegExp; below: string; advisory: string }[] = [
  { action: /^tj-actions\/changed-files(?:\/|$)/i, below: '46.0.1', advisory: 'CVE-2025-30066, CVE-2023-51664' },
  { action: /^tj-actions\/branch-names(?:\/|$)/i, below: '7.0.7', advisory: 'CVE-2023-49291' },
  { action: /^tj-actions\/verify-changed-files(?:\/|$)/i, below: '17', advisory: 'CVE-2023-52137' },
  { action: /^reviewdog\/action-setup(?:\/|$)/i, below: '1.3.2', advisory: 'CVE-2025-30154' },
  { action: /^hashicorp\/vault-action(?:\/|$)/i, below: '2.2.0', advisory: 'CVE-2021-32074' },
  { action: /^kartverket\/github-workflows(?:\/|$)/i, below: '2.7.5', advisory: 'CVE-2022-39326' },
  { action: /^azure\/setup-kubectl(?:\/|$)/i, below: '3', advisory: 'CVE-2023-23939' },
  { action: /^atlassian\/gajira-create(?:\/|$)/i, below: '2.0.1', advisory: 'CVE-2020-14188' },
  { action: /^atlassian\/gajira-comment(?:\/|$)/i, below: '2.0.2', advisory: 'CVE-2020-14189' },
  { action: /^check-spelling\/check-spelling(?:\/|$)/i, below: '0.0.19', advisory: 'CVE-2021-32724' },
  { action: /^embano1\/wip(?:\/|$)/i, below: '2', advisory: 'CVE-2023-30623' },
  { action: /^rlespinasse\/github-slug-action(?:\/|$)/i, below: '4.4.1', advisory: 'CVE-2023-27581' },
  { action: /^sonarsource\/sonarqube-scan-action(?:\/|$)/i, below: '5.3.1', advisory: 'CVE-2025-58178' },
]

/** Releases that carried malware, and names that were registered to be taken for another. */
export const BAD_PACKAGES: Record<string, readonly string[] | 'all'> = {
  'event-stream': ['3.3.6'],
  'flatmap-stream': 'all',
  'eslint-scope': ['3.7.2'],
  'ua-parser-js': ['0.7.29', '0.8.0', '1.0.0'],
  coa: ['2.0.3', '2.0.4', '2.1.1', '2.1.3', '3.0.1', '3.1.3'],
  rc: ['1.2.9', '1.3.9', '2.3.9'],
  colors: ['1.4.1', '1.4.2', '1.4.44-liberty-2'],
  'node-ipc': ['9.2.2', '10.1.1', '10.1.2'],
  chalk: ['5.6.1'],
  debug: ['4.4.2'],
  'ansi-styles': ['6.2.2'],
  'strip-ansi': ['7.1.1'],
  'supports-color': ['10.2.1'],
  'ansi-regex': ['6.2.1'],
  'wrap-ansi': ['9.0.1'],
  'slice-ansi': ['7.1.1'],
  'color-convert': ['3.1.1'],
  'color-name': ['2.0.1'],
  'chalk-template': ['1.1.1'],
  'supports-hyperlinks': ['4.1.1'],
  crossenv: 'all',
  'python3-dateutil': 'all',
  jeilyfish: 'all',
  colourama: 'all',
  ctx: ['0.2.2', '0.2.6'],
  ultralytics: ['8.3.41', '8.3.42', '8.3.45', '8.3.46'],
}

/** True when version `a` is before `b`. A tag such as `v2` follows the newest 2.x, so missing parts count as high. */
export function isBefore(a: string, b: string): boolean {
  const left = a.split('.')
  const right = b.split('.')
  for (let index = 0; index < right.length; index += 1) {
    const one = left[index] === undefined ? Number.POSITIVE_INFINITY : Number(left[index])
    const other = Number(right[index])
    if (one !== other) return one < other
  }
  return false
}
