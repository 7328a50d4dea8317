import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import type { SigningKey } from '../support/organisations.ts'
import { bundleOf, packageBytes, signatureOf, uploadOf } from '../support/packages.ts'
import type { LoopSeen } from './loop-watch.ts'
import { type Figure, quantile } from './measure.ts'
import { get, type Publisher } from './uploads.ts'

/** How long each kind is sent, and how long before it nothing is: whatever else the machine does meets both alike. */
const SENT_MS = 4_000
const AT_A_TIME = [1, 5]
const HOLD_MS = 20

type Sent = { contentType: string; body: Buffer }
type Times = { p50: number; p99: number; max: number; count: number }

/**
 * Whom hostile uploads keep waiting. Delay is told twice: by the event loop of the services itself (its longest piece of
 * work, on the clock of its own thread), and by another client's requests, with and without hostile uploads in turn.
 */
export async function hostile(
  publisher: Publisher,
  loop: () => Promise<LoopSeen>,
  short: boolean,
  say: (text: string) => void,
): Promise<Figure[]> {
  const forMs = short ? SENT_MS / 4 : SENT_MS
  const caused: { name: string; loop: number; p99: number; max: number }[] = []
  const idle: { loop: number; p99: number; max: number }[] = []
  for (const [kind, sent] of Object.entries(hostileUploads(publisher.key)))
    for (const connections of AT_A_TIME) {
      const name = `${kind} × ${connections}`
      await loop()
      const without = summary(await probe(publisher, forMs))
      const before = longest(await loop())
      const sender = startSender(publisher, sent, connections)
      const during = summary(await probe(publisher, forMs))
      const seen = await loop()
      const answers = Object.entries(await sender.stop()).map(([status, times]) => `${times} answered ${status}`)
      idle.push({ loop: before, p99: without.p99, max: without.max })
      caused.push({
        name,
        loop: longest(seen),
        p99: during.p99 - without.p99,
        max: during.max - without.max,
      })
      say(
        `${name} (${answers.join(', ')}): event loop at most ${longest(seen).toFixed(1)} ms at a time (without ` +
          `${before.toFixed(1)}), late by ${seen.late.max.toFixed(1)}; other requests p50 ${during.p50.toFixed(1)}, p99 ` +
          `${during.p99.toFixed(1)}, longest ${during.max.toFixed(1)} of ${during.count} (without ${without.p50.toFixed(1)}, ` +
          `${without.p99.toFixed(1)}, ${without.max.toFixed(1)} of ${without.count})`,
      )
    }
  const most = (values: number[]) => Math.max(...values)
  const each = (of: 'loop' | 'p99' | 'max') => caused.map((one) => `${one.name} ${one[of].toFixed(1)}`).join(', ')
  return [
    {
      name: 'longest piece of work of the event loop while hostile uploads come',
      value: most(caused.map((one) => one.loop)),
      unit: 'ms',
      hold: HOLD_MS,
      better: 'lower',
      sides: `${each('loop')}; without them ${most(idle.map((one) => one.loop)).toFixed(1)}`,
    },
    {
      name: 'delay of other requests by hostile uploads, p99 with less p99 without',
      value: most(caused.map((one) => one.p99)),
      unit: 'ms',
      hold: HOLD_MS,
      better: 'lower',
      sides: `${each('p99')}; p99 without ${most(idle.map((one) => one.p99)).toFixed(1)}; longest with less longest without: ${each('max')}; longest without ${most(idle.map((one) => one.max)).toFixed(1)}`,
    },
  ]
}

const longest = ({ busy, late }: LoopSeen): number => (busy ?? late).max

const summary = (times: readonly number[]): Times => ({
  p50: quantile(times, 0.5),
  p99: quantile(times, 0.99),
  max: quantile(times, 1),
  count: times.length,
})

/** What an account with a key can send to keep the registry busy: large, dense, malformed, or many of something. */
export function hostileUploads(key: SigningKey): Record<string, Sent> {
  const json = (body: unknown): Sent => ({ contentType: 'application/json', body: Buffer.from(JSON.stringify(body)) })
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
  const word = packageBytes({ name: 'hostile-word', description: 'x'.repeat(990_000) })
  const escaped = packageBytes({ name: 'hostile-escapes', description: '"\\\n'.repeat(160_000) })
  const dense = Buffer.from(
    packageBytes({ name: 'hostile-nodes' })
      .toString()
      .replace('{', `{"x-nodes":[${Array.from({ length: 9_000 }, (_, n) => `{"a${n}":${n}}`).join()}],`),
  )
  const yaml = Buffer.from(`${densestYaml(4_000)}apiVersion: v1\nkind: WorkflowPackage\n`)
  const parts = Array.from(
    { length: 30_000 },
    (_, n) => `--b\r\ncontent-disposition: form-data; name="p${n}"\r\n\r\nv\r\n`,
  )
  return {
    '1,000 timestamps': json({ content: bytes.toString(), bundle: stamped }),
    'junk base64': json({
      content: `${'A'.repeat(1_333_000)}*${'='.repeat(331)}`,
      content_encoding: 'base64',
      signature: signatureOf(bytes, key),
    }),
    'a word of 5 MB': json({ content: 'x'.repeat(5_000_000), signature: signatureOf(bytes, key) }),
    'a signed word of 1 MB': json(uploadOf(word, key)),
    '1 MB of escapes': json(uploadOf(escaped, key)),
    '18,000 values': json(uploadOf(dense, key)),
    'dense YAML': json(uploadOf(yaml, key)),
    'a bundle of 18,000 values': json({
      content: 'x',
      bundle: Array.from({ length: 9_000 }, (_, n) => ({ [`a${n}`]: n })),
    }),
    '30,000 parts': {
      contentType: 'multipart/form-data; boundary=b',
      body: Buffer.from(`${parts.join('')}--b--\r\n`),
    },
  }
}

const densestYaml = (entries: number): string => Array.from({ length: entries }, (_, n) => `k${n}: ${n}\n`).join('')

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

/** Sends a body again and again, from a thread of its own: what it costs to send delays nobody here. */
function startSender({ home, token }: Publisher, { contentType, body }: Sent, connections: number) {
  const workerData = { url: home.urls.marketplace, token, contentType, body, connections }
  const sending = new Worker(SENDER, { eval: true, workerData })
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
const { parentPort, workerData: { url, token, contentType, body, connections } } = require('node:worker_threads')
const headers = { authorization: 'Bearer ' + token, 'content-type': contentType }
const answers = {}
let sending = true
parentPort.once('message', () => { sending = false })
async function send() {
  while (sending) {
    const status = await fetch(url + '/wpk/upload', { method: 'POST', headers, body })
      .then(async (answer) => { await answer.arrayBuffer(); return answer.status }, () => 'nothing')
    answers[status] = (answers[status] ?? 0) + 1
  }
}
Promise.all(Array.from({ length: connections }, send)).then(() => parentPort.postMessage(answers))
`
