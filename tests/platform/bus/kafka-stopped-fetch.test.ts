import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'

const root = fileURLToPath(new URL('../../..', import.meta.url))
/** A consumer that is stopped, while a broker joins, between its last fetch and the start of new fetchers. */
const STOPPED = `
  import { createRequire } from 'node:module'
  import { writeSync } from 'node:fs'
  const require = createRequire(process.cwd() + '/package.json')
  const Runner = require('kafkajs/src/consumer/runner.js')
  const createFetchManager = require('kafkajs/src/consumer/fetchManager.js')
  const logger = { debug() {}, info() {}, namespace: () => logger }
  let nodes = ['1']
  const fetch = async () => { nodes = ['1', '2']; runner.running = false; return [] }
  const runner = Object.assign(Object.create(Runner.prototype), {
    running: true, logger, consumerGroup: { fetch }, heartbeat: async () => {}, instrumentationEmitter: { emit() {} },
  })
  const manager = createFetchManager({
    logger, getNodeIds: () => nodes, fetch: (node) => runner.fetch(node), handler: async () => {},
  })
  if (process.env.GUARD) (await import('./platform/bus/kafka-stopped-fetch.ts')).guardStoppedFetch()
  setTimeout(() => { writeSync(1, 'others run'); process.exit(0) }, 50)
  await manager.start().catch((error) => writeSync(1, error.message + '; '))`

/** What it printed within the limit, after which it is killed. */
async function run(env: Record<string, string>, limitMs: number): Promise<string> {
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', STOPPED], {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let printed = ''
  child.stdout.on('data', (chunk) => (printed += chunk))
  const timer = setTimeout(() => child.kill('SIGKILL'), limitMs)
  await new Promise((resolve) => child.once('close', resolve))
  clearTimeout(timer)
  return printed
}

describe('platform/bus/kafka-stopped-fetch', function () {
  this.timeout(20_000)

  it('lets the process go on after a consumer stopped while the brokers changed', async () => {
    expect(await run({ GUARD: '1' }, 15_000)).to.equal('the consumer was stopped; others run')
  })
})
