import { createPrivateKey } from 'node:crypto'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { setTimeout as pause } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
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
import { bundleOf, packageBytes, uploadOf } from '../support/packages.ts'
import { type Figure, median, quantile } from './measure.ts'

const A_SECOND = 5
const SECONDS = 40
const POLL_MS = 5
/** How long each kind of hostile upload is sent, one after the other on two connections. */
const HOSTILE_MS = 8_000

type Publisher = { home: Home; token: string; key: SigningKey }

/** A whole system, as it is started by hand: how soon a verdict is seen, and whom hostile uploads keep waiting. */
export async function uploads(say: (text: string) => void, short: boolean): Promise<Figure[]> {
  const home = await freshHome()
  const system = await startSystem(home)
  try {
    const publisher = await publisherOf(home, await credentialsOf(home))
    return [await verdicts(publisher, short ? SECONDS / 4 : SECONDS, say), await hostile(publisher, short, say)]
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

/** The longest of other people's requests while hostile uploads come without a pause, over what they usually take. */
async function hostile(publisher: Publisher, short: boolean, say: (text: string) => void): Promise<Figure> {
  const forMs = short ? HOSTILE_MS / 4 : HOSTILE_MS
  const quiet = await probe(publisher, forMs)
  const usual = median(quiet)
  say(`quiet: usually ${usual.toFixed(1)} ms, longest ${Math.max(...quiet).toFixed(1)} ms of ${quiet.length}`)
  const delays: string[] = []
  let longest = 0
  for (const [name, body] of Object.entries(hostileBodies(publisher.key))) {
    const sender = startSender(publisher, body)
    const times = await probe(publisher, forMs)
    const answers = await sender.stop()
    const delay = Math.max(...times) - usual
    longest = Math.max(longest, delay)
    delays.push(`${name} ${delay.toFixed(1)}`)
    const sent = Object.entries(answers).map(([status, times]) => `${times} answered ${status}`)
    say(`${name} (${sent.join(', ')}): longest delay ${delay.toFixed(1)} ms of ${times.length} requests`)
  }
  return {
    name: 'longest delay of other requests while hostile uploads come',
    value: longest,
    unit: 'ms',
    hold: 20,
    better: 'lower',
    sides: `${delays.join(', ')}; without them ${(Math.max(...quiet) - usual).toFixed(1)} ms over the usual ${usual.toFixed(1)} ms`,
  }
}

function hostileBodies(key: SigningKey): Record<string, string> {
  const bytes = packageBytes({ name: 'hostile' })
  const bundle = bundleOf(bytes, key)
  const timestamps = Array.from({ length: 1_000 }, () => ({ signedTimestamp: 'A'.repeat(1_700) }))
  const stamped = {
    ...bundle,
    verificationMaterial: {
      ...bundle.verificationMaterial,
      timestampVerificationData: { rfc3161Timestamps: timestamps },
    },
  }
  const signature = uploadOf(bytes, key).signature
  return {
    '1,000 timestamps': JSON.stringify({ content: bytes.toString(), bundle: stamped }),
    'junk base64': JSON.stringify({
      content: `${'A'.repeat(1_333_000)}*${'='.repeat(331)}`,
      content_encoding: 'base64',
      signature,
    }),
    'a word of 5 MB': JSON.stringify({ content: 'x'.repeat(5_000_000), signature }),
    'a signed word of 1 MB': JSON.stringify(
      uploadOf(packageBytes({ name: 'hostile-word', description: 'x'.repeat(990_000) }), key),
    ),
  }
}

async function probe(publisher: Publisher, forMs: number): Promise<number[]> {
  const times: number[] = []
  const end = performance.now() + forMs
  while (performance.now() < end) {
    const begun = performance.now()
    const { status } = await get(publisher, '/wpk/list?limit=1')
    times.push(performance.now() - begun)
    if (status !== 200) throw new Error(`a request was answered ${status}`)
  }
  return times
}

const get = ({ home, token }: Publisher, path: string) => request('GET', `${home.urls.marketplace}${path}`, { token })

async function upload({ home, token }: Publisher, body: object): Promise<{ id: string }> {
  const answer = await request('POST', `${home.urls.marketplace}/wpk/upload`, { token, body })
  if (answer.status !== 202) throw new Error(`an upload was answered ${answer.status} ${JSON.stringify(answer.body)}`)
  return answer.body as { id: string }
}

/** Sends a body again and again on two connections, from a thread of its own: what it costs to send delays nobody here. */
function startSender({ home, token }: Publisher, body: string) {
  const sending = new Worker(SENDER, { eval: true, workerData: { url: home.urls.marketplace, token, body } })
  return {
    async stop(): Promise<Record<string, number>> {
      sending.postMessage('stop')
      const [answers] = (await once(sending, 'message')) as [Record<string, number>]
      await sending.terminate()
      return answers
    },
  }
}
/** A body that is refused while it is sent ends the connection: that is an answer too. */
const SENDER = `
const { parentPort, workerData: { url, token, body } } = require('node:worker_threads')
const bytes = Buffer.from(body)
const headers = { authorization: 'Bearer ' + token, 'content-type': 'application/json' }
const answers = {}
let sending = true
parentPort.once('message', () => { sending = false })
async function send() {
  while (sending) {
    const status = await fetch(url + '/wpk/upload', { method: 'POST', headers, body: bytes })
      .then(async (answer) => { await answer.arrayBuffer(); return answer.status }, () => 'nothing')
    answers[status] = (answers[status] ?? 0) + 1
  }
}
Promise.all([send(), send()]).then(() => parentPort.postMessage(answers))
`
