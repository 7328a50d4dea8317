import { createPublicKey, verify } from 'node:crypto'
import { publicTrustRoot } from '../../producers/marketplace/trust/trust-root.ts'
import { verifySignature } from '../../producers/marketplace/trust/verify-signature.ts'
import { newKey } from '../support/organisations.ts'
import { packageBytes } from '../support/packages.ts'
import { envelopeBundle, messageBundle, signWith } from '../support/signed-forms.ts'
import { catalog } from './catalog.ts'
import { type Bench, type Figure, median } from './measure.ts'
import { uploads } from './uploads.ts'

const ROUNDS = 5
const TIMES = 2_000

/** Trust, the catalog, and a running system under uploads, hostile ones included. */
export const marketplace: Bench = async (say, short) => [
  ...(await verification(say)),
  ...(await catalog(say, short)),
  ...(await uploads(say, short)),
]

/** Verification of signatures by a registered key: what forms and rules cost on top of the arithmetic itself. */
async function verification(say: (text: string) => void): Promise<Figure[]> {
  const key = newKey()
  const bytes = packageBytes({ name: 'benched', description: 'x'.repeat(2_000) })
  const signature = signWith(key, bytes)
  const signers = {
    keys: [{ ...key, validFrom: new Date(0), revokedAt: null }],
    identities: [],
    foreign: async () => [],
  }
  const trust = { signers, root: publicTrustRoot, receivedAt: new Date() }
  const opened = createPublicKey(key.pem)
  const judge = (signed: object) => () => verifySignature(bytes, signed, trust)
  const sides = {
    bare: async () => verify('sha256', bytes, opened, signature),
    detached: judge({ signature: signature.toString('base64'), keyId: key.keyId }),
    bundle: judge({ bundle: messageBundle(bytes, key) }),
    envelope: judge({ bundle: envelopeBundle(bytes, key) }),
  }
  const rates: Record<keyof typeof sides, number[]> = { bare: [], detached: [], bundle: [], envelope: [] }
  for (let round = 1; round <= ROUNDS; round += 1) {
    for (const side of Object.keys(sides) as (keyof typeof sides)[]) rates[side].push(await ratePerCore(sides[side]))
    const shown = Object.entries(rates).map(([side, values]) => `${side} ${values.at(-1)?.toFixed(0)}/s`)
    say(`round ${round}: ${shown.join(', ')}`)
  }
  const ratio = (side: 'detached' | 'bundle' | 'envelope') =>
    median(rates[side].map((rate, round) => rate / (rates.bare[round] ?? Number.NaN)))
  const against = (side: 'detached' | 'bundle' | 'envelope') =>
    `${median(rates[side]).toFixed(0)}/s over ${median(rates.bare).toFixed(0)}/s, ${bytes.length} bytes, ECDSA P-256`
  const figure = (side: 'detached' | 'bundle' | 'envelope', name: string, hold: number): Figure => ({
    name: `${name} over bare crypto.verify`,
    value: ratio(side),
    unit: 'ratio',
    hold,
    better: 'higher',
    sides: against(side),
  })
  return [
    {
      name: 'key bundles verified',
      value: median(rates.bundle),
      unit: '/s a core',
      hold: 1_500,
      better: 'higher',
      sides: against('bundle'),
    },
    figure('detached', 'detached signature', 0.7),
    figure('bundle', 'key bundle', 0.5),
    figure('envelope', 'in-toto envelope', 0.4),
  ]
}

/** By the time of a core, not of the clock: what shares the machine does not count. */
async function ratePerCore(work: () => Promise<unknown>): Promise<number> {
  const began = process.cpuUsage()
  for (let time = 0; time < TIMES; time += 1) await work()
  const { user, system } = process.cpuUsage(began)
  return (TIMES * 1_000_000) / (user + system)
}
