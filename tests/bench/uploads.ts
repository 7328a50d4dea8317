import { createPrivateKey } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { setTimeout as pause } from 'node:timers/promises'
import { readPublicKey } from '../../producers/marketplace/trust/public-key.ts'
import {
  type Credentials,
  credentialsOf,
  freshHome,
  type Home,
  request,
  startSystem,
} from '../../reports/running-system.ts'
import type { SigningKey } from '../support/organisations.ts'
import { packageBytes, uploadOf } from '../support/packages.ts'
import { hostile } from './hostile-uploads.ts'
import { watchedLoop } from './loop-watch.ts'
import { type Figure, quantile } from './measure.ts'

const A_SECOND = 5
const SECONDS = 40
const POLL_MS = 5

export type Publisher = { home: Home; token: string; key: SigningKey }

/** A whole system, as it is started by hand: how soon a verdict is seen, and whom hostile uploads keep waiting. */
export async function uploads(say: (text: string) => void, short: boolean): Promise<Figure[]> {
  const home = await freshHome()
  const loop = await watchedLoop()
  const system = await startSystem(home, loop.env)
  try {
    const publisher = await publisherOf(home, await credentialsOf(home))
    return [
      await verdicts(publisher, short ? SECONDS / 4 : SECONDS, say),
      ...(await hostile(publisher, loop.take, short, say)),
    ]
  } finally {
    await system.stop()
    await home.remove()
  }
}

async function publisherOf(home: Home, { orgs }: Credentials): Promise<Publisher> {
  const pem = await readFile(orgs.demo.public_key_path, 'utf8')
  const privateKey = createPrivateKey(await readFile(orgs.demo.private_key_path, 'utf8'))
  return { home, token: orgs.demo.tokens.partner, key: { keyId: readPublicKey(pem).keyId, pem, privateKey } }
}

/** From the first byte of the upload to an answer of `GET /wpk/{id}` with a verdict, on a fixed timetable. */
async function verdicts(publisher: Publisher, seconds: number, say: (text: string) => void): Promise<Figure> {
  const begun = performance.now()
  const one = async (n: number) => {
    await pause(Math.max(0, begun + (n * 1_000) / A_SECOND - performance.now()))
    const sent = performance.now()
    const { id } = await upload(
      publisher,
      uploadOf(packageBytes({ name: `benched-${n}`, mode: 'manual' }), publisher.key),
    )
    for (;;) {
      const { status } = await get(publisher, `/wpk/${id}/verdict`)
      if (status === 200) return performance.now() - sent
      await pause(POLL_MS)
    }
  }
  const times = await Promise.all(Array.from({ length: seconds * A_SECOND }, (_, n) => one(n)))
  const [p50, p95, most] = [0.5, 0.95, 1].map((share) => quantile(times, share).toFixed(0))
  say(`upload to verdict: p50 ${p50} ms, p95 ${p95} ms, longest ${most} ms`)
  return {
    name: `upload to verdict visible, p95 at ${A_SECOND} uploads a second`,
    value: quantile(times, 0.95),
    unit: 'ms',
    hold: 300,
    better: 'lower',
    sides: `${times.length} uploads, p50 ${p50} ms, longest ${most} ms, looked for every ${POLL_MS} ms`,
  }
}

export const get = ({ home, token }: Publisher, path: string) =>
  request('GET', `${home.urls.marketplace}${path}`, { token })

async function upload({ home, token }: Publisher, body: object): Promise<{ id: string }> {
  const answer = await request('POST', `${home.urls.marketplace}/wpk/upload`, { token, body })
  if (answer.status !== 202) throw new Error(`an upload was answered ${answer.status} ${JSON.stringify(answer.body)}`)
  return answer.body as { id: string }
}
