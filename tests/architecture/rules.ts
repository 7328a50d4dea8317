import type { Import, SourceFile } from './imports.ts'

/** Room -> what it may import besides itself. A room is a folder; the deepest one named here counts. */
const ROOMS: Record<string, readonly string[]> = {
  schemas: [],
  platform: ['schemas'],
  'producers/marketplace': ['schemas', 'platform'],
  'producers/usage': ['schemas', 'platform'],
  'producers/data': ['schemas', 'platform'],
  'consumers/governance': ['schemas', 'platform'],
  'consumers/metering': ['schemas', 'platform'],
  'consumers/analytics': ['schemas', 'platform'],
  'consumers/feeds': ['schemas', 'platform'],
  portal: ['schemas', 'platform'],
  deploy: ['schemas', 'platform'],
  reports: ['schemas', 'platform'],
  sdk: ['schemas'],
}
/** Composition, documentation tools and tests see everything. */
const FREE = ['main.ts', 'services.ts', 'docs/', 'tests/']
/** What the whole tree may use of the contract; the rest of schemas/ names things the platform must not know. */
const PLATFORM_SCHEMAS = ['schemas/envelope.ts', 'schemas/define-event.ts', 'schemas/topics.ts', 'schemas/upcast.ts']

/** Vendor -> its one door. Tests may use any. */
const DOORS: readonly { vendor: RegExp; doors: readonly string[] }[] = [
  {
    vendor: /^(knex|pg)$/,
    doors: [
      'platform/db.ts',
      'platform/migrate.ts',
      'platform/session-lock.ts',
      'platform/bus/wake-channel.ts',
      'platform/embedded-postgres/server.ts',
    ],
  },
  { vendor: /^prom-client$/, doors: ['platform/metrics.ts'] },
  { vendor: /^pino$/, doors: ['platform/log.ts'] },
  { vendor: /^express$/, doors: ['platform/http/service.ts', 'portal/pages.ts'] },
  { vendor: /^jose$/, doors: ['platform/auth/tokens.ts', 'platform/auth/oidc.ts', 'platform/auth/issuer-keys.ts'] },
  { vendor: /^@?sigstore$|^@sigstore\//, doors: ['producers/marketplace/trust/'] },
  { vendor: /^pdfkit$/, doors: ['consumers/metering/invoice-pdf.ts'] },
  { vendor: /^onnxruntime-node$/, doors: ['consumers/governance/model.ts'] },
  { vendor: /^unbash$/, doors: ['consumers/governance/shell.ts', 'consumers/governance/shell-comments.ts'] },
  { vendor: /^kafkajs$/, doors: ['platform/bus/kafka.ts'] },
  { vendor: /^@aws-sdk\/|^@smithy\//, doors: ['consumers/metering/payments/aws-marketplace-client.ts'] },
  { vendor: /^stripe$/, doors: ['consumers/metering/payments/stripe.ts'] },
  { vendor: /^semver$/, doors: ['producers/marketplace/catalog/by-name.ts'] },
  { vendor: /^yaml$/, doors: ['platform/document.ts', 'platform/document-'] },
]
/** The build and the reports hand their environment to the programs they run; the training fragments only hold the words as text. */
const ENVIRONMENT = [
  'main.ts',
  'deploy/',
  'docs/',
  'sdk/',
  'tests/',
  'portal/build.ts',
  'reports/',
  'consumers/governance/training/',
]

const inside = (path: string, places: readonly string[]): boolean => places.some((place) => path.startsWith(place))
const roomOf = (path: string): string | undefined => Object.keys(ROOMS).find((room) => path.startsWith(`${room}/`))

/** Why an import breaks the rule of the rooms, or null. */
export function roomFault({ from, to, ours }: Import): string | null {
  if (!ours || inside(from, FREE)) return null
  const room = roomOf(from)
  if (room === undefined) return `${from} is in no room; add its folder to the table with what it may import`
  if (to.startsWith(`${room}/`)) return null
  const target = roomOf(to) ?? to
  if (!(ROOMS[room] as readonly string[]).includes(target))
    return `${from} imports ${to}, but ${room} may not see ${target}`
  if (room === 'platform' && !PLATFORM_SCHEMAS.includes(to))
    return `${from} imports ${to}, but the platform knows only ${PLATFORM_SCHEMAS.join(', ')}`
  return null
}

/** Why an import goes past a vendor's door, or null. */
export function doorFault({ from, to, ours }: Import): string | null {
  if (ours || from.startsWith('tests/')) return null
  const found = DOORS.find(({ vendor }) => vendor.test(to))
  if (!found || inside(from, found.doors)) return null
  return `${from} imports ${to}, whose door is ${found.doors.join(', ')}`
}

/** Why a file may not read the environment, or null: settings are read once, where the process is put together. */
export function environmentFault({ path, text }: SourceFile): string | null {
  if (inside(path, ENVIRONMENT)) return null
  const code = text.replace(/\/\*[\s\S]*?\*\/|(?<=^|\s)\/\/.*$/gm, '')
  return /\bprocess\s*(\.|\[\s*['"])\s*env\b/.test(code)
    ? `${path} reads process.env, whose door is ${ENVIRONMENT.join(', ')}`
    : null
}
