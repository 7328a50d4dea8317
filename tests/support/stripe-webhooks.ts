import { createHmac } from 'node:crypto'

/** An event as Stripe posts it, signed with each of the secrets. */
export function stripeEvent(
  event: { id: string; type: string; object: object; at: Date },
  secrets: readonly string[],
  signedAt = event.at,
): { body: string; signature: string } {
  const created = Math.floor(event.at.getTime() / 1000)
  const { id, type, object } = event
  const body = JSON.stringify({ id, object: 'event', type, created, livemode: false, data: { object } })
  const t = Math.floor(signedAt.getTime() / 1000)
  const signed = secrets.map((secret) => `v1=${createHmac('sha256', secret).update(`${t}.${body}`).digest('hex')}`)
  return { body, signature: [`t=${t}`, ...signed].join(',') }
}

/** The notice of such an event, as Stripe posts it. */
export function stripeNotice(
  { id, type, at }: { id: string; type: string; at: Date },
  secret: string,
): { body: string; signature: string } {
  const body = JSON.stringify({ id, object: 'v2.core.event', type, created: at, livemode: false })
  const t = Math.floor(at.getTime() / 1000)
  return { body, signature: `t=${t},v1=${createHmac('sha256', secret).update(`${t}.${body}`).digest('hex')}` }
}
