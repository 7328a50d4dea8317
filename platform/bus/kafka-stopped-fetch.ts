import { createRequire } from 'node:module'

type Runner = { running: boolean }
type Prototype = { fetch(this: Runner, nodeId: string): Promise<unknown> }
let guarded = false

/**
 * A consumer of kafkajs 2.2.4 that is stopped while the list of brokers changes starts its fetchers anew. Of a stopped
 * consumer each fetch is answered at once with nothing and followed by the next, without a pause in which anything else
 * in the process could run: not one request was answered any more. A fetch that fails ends them. Once per process.
 */
export function guardStoppedFetch(): void {
  if (guarded) return
  guarded = true
  const { prototype } = createRequire(import.meta.url)('kafkajs/src/consumer/runner.js') as { prototype: Prototype }
  const fetch = prototype.fetch
  prototype.fetch = async function (nodeId) {
    if (!this.running) throw new Error('the consumer was stopped')
    return fetch.call(this, nodeId)
  }
}
