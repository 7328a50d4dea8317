import { spawn, spawnSync } from 'node:child_process'
import { createServer } from 'node:net'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { openStripe } from '../../../../consumers/metering/payments/stripe.ts'
import { eventually } from '../../../support/eventually.ts'
import { rejected } from '../../../support/rejected.ts'
import { skipAloud } from '../../../support/skip-aloud.ts'
import { gatewayContract } from './gateway.contract.ts'

const tools = process.env.ATOM_TOOLS ?? join(homedir(), '.cache', 'atom', 'tools')
const binary = ['stripe-mock', join(tools, 'bin', 'stripe-mock')].find(
  (path) => spawnSync(path, ['-version'], { timeout: 10_000 }).status === 0,
)

describe('consumers/metering/payments: stripe-mock takes every request', function () {
  this.timeout(20_000)
  let base = ''
  let stop = () => {}

  before(async function () {
    if (binary === undefined) return skipAloud(this, 'stripe-mock', 'not on the PATH; .ci/tools.sh installs it')
    const [http, https] = [await freePort(), await freePort()]
    // Both addresses: without the second it opens HTTPS on every interface. The version check holds the library to the
    // specification of this mock.
    const addresses = ['-http-addr', `127.0.0.1:${http}`, '-https-addr', `127.0.0.1:${https}`]
    const child = spawn(binary, [...addresses, '-strict-version-check'], { stdio: 'ignore' })
    stop = () => void child.kill('SIGKILL')
    base = `http://127.0.0.1:${http}`
    await eventually('stripe-mock answers', () => fetch(base).catch(() => null), 15_000)
  })
  after(() => stop())

  gatewayContract(() => openStripe('sk_test_123', base))

  it('and refuses what is no request of Stripe', async () => {
    const gateway = openStripe('sk_test_123', base)
    const event = { name: '', customer: 'cus_1', value: '1', at: new Date(Number.NaN), identifier: 'x' }
    expect(await rejected(gateway.sendMeterEvent(event, 'k'))).to.include({ kind: 'permanent' })
  })
})

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}
